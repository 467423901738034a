"""Training a prompt encoder: what changes, what must not, and what the seed decides."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from sammed.assist.config import AssistConfig, PromptSet, Schedule
from sammed.assist.examples import gather_examples
from sammed.assist.training import Batch, TrainedEncoder, _batches, train_prompt_encoder
from sammed.backbones.backbone import Backbone
from sammed.errors import AnnotationError

if TYPE_CHECKING:
    from tests.sammed.assist.conftest import Slices

SHORT = AssistConfig(steps=4, point_steps=3, batch_size=2, least_pixels=4)


def learn(
    backbone: Backbone,
    slices: "Slices",
    config: AssistConfig,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> TrainedEncoder:
    generator = torch.Generator().manual_seed(seed)
    return train_prompt_encoder(
        backbone, slices.embeddings, slices.masks, slices.frame, config, generator, progress
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == again and torch.equal(value, twin) for (name, value), (again, twin) in pairs)


def changed(encoder: nn.Module, pretrained: dict[str, nn.Parameter]) -> set[str]:
    return {name for name, weight in encoder.named_parameters() if not weight.equal(pretrained[name])}


@pytest.mark.parametrize("prompts", ["points", "boxes", "composite"])
def test_frozen_weights_stay_bit_for_bit_and_get_no_gradients(
    tiny_backbone: Backbone, slices: "Slices", prompts: PromptSet
) -> None:
    parts = ("image_encoder", "mask_decoder", "prompt_encoder")
    before = {part: copy.deepcopy(getattr(tiny_backbone, part)) for part in parts}
    learned = learn(
        tiny_backbone,
        slices,
        AssistConfig(prompts=prompts, steps=4, point_steps=3, batch_size=2, least_pixels=4),
    )
    for part in parts:
        module = getattr(tiny_backbone, part)
        assert same_weights(module, before[part]), f"learning changed the frozen {part}"
        assert all(weight.grad is None for weight in module.parameters()), f"{part} got gradients"
    learned_parts = {"points": learned.encoder.points, "boxes": learned.encoder.boxes}
    for name, encoder in learned_parts.items():
        was_learned = not same_weights(encoder, before["prompt_encoder"])
        assert was_learned == (prompts in (name, "composite")), f"the encoder for {name}"


def test_composite_learning_reaches_every_weight_that_its_prompts_use(
    tiny_backbone: Backbone, slices: "Slices"
) -> None:
    encoder = learn(tiny_backbone, slices, SHORT).encoder
    pretrained = dict(tiny_backbone.prompt_encoder.named_parameters())
    of_points = {
        "point_embeddings.0.weight",
        "point_embeddings.1.weight",
        "not_a_point_embed.weight",
        "no_mask_embed.weight",
    }
    assert changed(encoder.points, pretrained) == of_points
    assert changed(encoder.boxes, pretrained) == set(pretrained) - {"not_a_point_embed.weight"}  # a filler
    assert sum(weight.numel() for weight in encoder.parameters()) == 2 * 6220


def test_a_prompt_goes_to_the_encoder_that_learned_its_kind(
    tiny_backbone: Backbone, slices: "Slices"
) -> None:
    encoder = learn(tiny_backbone, slices, SHORT).encoder
    points = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[1]])
    box, masks = torch.tensor([[2.0, 3.0, 9.0, 9.0]]), torch.randn(1, 1, 64, 64)
    for prompt, wanted in (
        ((points, None, None), encoder.points),
        ((points, box, None), encoder.boxes),
        ((None, box, masks), encoder.boxes),
        ((None, None, masks), encoder.boxes),
    ):
        arguments = dict(zip(("points", "boxes", "masks"), prompt, strict=True))
        for found, expected in zip(encoder(**arguments), wanted(**arguments), strict=True):
            assert found.equal(expected)


def test_the_fourier_matrix_stays(tiny_backbone: Backbone, slices: "Slices") -> None:
    name = "pe_layer.positional_encoding_gaussian_matrix"
    learned = learn(tiny_backbone, slices, SHORT).encoder.state_dict()
    pretrained = tiny_backbone.prompt_encoder.state_dict()[name]
    assert learned[f"points.{name}"].equal(pretrained)
    assert learned[f"boxes.{name}"].equal(pretrained)


def test_the_learned_encoder_is_frozen(tiny_backbone: Backbone, slices: "Slices") -> None:
    encoder = learn(tiny_backbone, slices, SHORT).encoder
    assert not encoder.training
    assert not any(weight.requires_grad for weight in encoder.parameters())


def test_learning_lowers_the_loss(tiny_backbone: Backbone, slices: "Slices") -> None:
    config = AssistConfig(prompts="boxes", steps=24, batch_size=3, least_pixels=4)
    losses = learn(tiny_backbone, slices, config).losses
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_the_seed_decides(tiny_backbone: Backbone, slices: "Slices") -> None:
    first, again, other = (learn(tiny_backbone, slices, SHORT, seed) for seed in (0, 0, 1))
    assert first.losses == again.losses
    assert same_weights(first.encoder, again.encoder)
    assert first.losses != other.losses


def test_learning_stops_where_the_loss_no_longer_falls(tiny_backbone: Backbone, slices: "Slices") -> None:
    still = AssistConfig(
        prompts="boxes",
        steps=40,
        batch_size=2,
        learning_rate=1e-9,
        patience=3,
        least_fall=0.5,
        least_pixels=4,
    )
    assert learn(tiny_backbone, slices, still).steps == 6


def test_progress_counts_the_steps(tiny_backbone: Backbone, slices: "Slices") -> None:
    steps: list[int] = []
    learned = learn(tiny_backbone, slices, SHORT, progress=steps.append)
    assert sorted(steps) == [1, 2, 3, 4, 5, 6, 7]
    assert learned.steps == 7


def test_slices_without_the_label_teach_nothing(tiny_backbone: Backbone, slices: "Slices") -> None:
    with pytest.raises(AnnotationError, match="None of the 1 annotated slices shows the label"):
        train_prompt_encoder(
            tiny_backbone,
            slices.embeddings[2:],
            slices.masks[2:],
            slices.frame,
            SHORT,
            torch.Generator().manual_seed(0),
        )


def batches_of(slices: "Slices", config: AssistConfig, schedule: Schedule, count: int) -> Iterator[Batch]:
    examples = list(gather_examples(slices.masks, slices.frame, config.scheme, config.least_pixels))
    return islice(_batches(examples, schedule, config, np.random.default_rng(0)), count)


def test_each_kind_of_prompt_gets_its_share_of_the_batches(slices: "Slices") -> None:
    config = AssistConfig(batch_size=2, least_pixels=4)
    batches = batches_of(slices, config, config.box_schedule, 16)
    counts = Counter(batch.prompts[0].kind for batch in batches)
    assert counts == {"box": 4, "points+box": 4, "coarse": 4, "box+coarse": 4}


def test_a_batch_holds_prompts_of_one_form_with_1_to_n_points_of_each_sign(slices: "Slices") -> None:
    config = AssistConfig(prompts="points", most_points=6, point_batch_size=3, least_pixels=4)
    batches = list(batches_of(slices, config, config.point_schedule, 80))
    counts = {prompt.count // 2 for batch in batches for prompt in batch.prompts}
    assert counts == {1, 2, 3, 4, 5}
    assert all(len({prompt.count for prompt in batch.prompts}) == 1 for batch in batches)


def test_every_batch_sees_its_smallest_instance(slices: "Slices") -> None:
    """A batch looks at one cell of 64: an instance of three cells would be invisible in most of them."""
    config = AssistConfig(prompts="points", least_pixels=4)
    examples = list(gather_examples(slices.masks, slices.frame, config.scheme, config.least_pixels))
    dots = []
    for place, example in enumerate(examples):
        dot = torch.zeros_like(example.target)
        dot[5, 3 * place : 3 * place + 3] = 1
        dots.append(replace(example, target=dot))
    batches = islice(_batches(dots, config.point_schedule, config, np.random.default_rng(0)), 60)
    seen = [batch.target.sum() for batch in batches]
    assert min(seen) == 1, "a batch whose instance is invisible teaches that prompts mean nothing"
