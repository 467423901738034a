"""Learning a prompt encoder: what changes, what must not, and what the seed decides."""

import copy
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from sammed.assist.config import AssistConfig
from sammed.assist.examples import gather_examples
from sammed.assist.learning import POINT_WEIGHTS, _lessons, learn_prompt_encoder
from sammed.errors import AnnotationError

SHORT = AssistConfig(steps=5, batch_size=2, least_pixels=4)


def learn(backbone, slices, config, seed=0, progress=None):
    generator = torch.Generator().manual_seed(seed)
    return learn_prompt_encoder(
        backbone, slices.embeddings, slices.masks, slices.frame, config, generator, progress
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == again and torch.equal(value, twin) for (name, value), (again, twin) in pairs)


@pytest.mark.parametrize("prompts", ["points", "boxes", "composite"])
def test_frozen_weights_stay_bit_for_bit_and_get_no_gradients(tiny_backbone, slices, prompts):
    parts = ("image_encoder", "mask_decoder", "prompt_encoder")
    before = {part: copy.deepcopy(getattr(tiny_backbone, part)) for part in parts}
    learned = learn(
        tiny_backbone, slices, AssistConfig(prompts=prompts, steps=5, batch_size=2, least_pixels=4)
    )
    for part in parts:
        module = getattr(tiny_backbone, part)
        assert same_weights(module, before[part]), f"learning changed the frozen {part}"
        assert all(weight.grad is None for weight in module.parameters()), f"{part} got gradients"
    assert not same_weights(learned.encoder, before["prompt_encoder"])


def test_composite_learning_reaches_every_weight_of_the_prompt_encoder(tiny_backbone, slices):
    learned = learn(tiny_backbone, slices, SHORT)
    pretrained = dict(tiny_backbone.prompt_encoder.named_parameters())
    for name, weight in learned.encoder.named_parameters():
        assert not torch.equal(weight, pretrained[name]), f"{name} was not learned"
    assert sum(weight.numel() for weight in learned.encoder.parameters()) == 6220


def test_the_fourier_matrix_stays(tiny_backbone, slices):
    name = "pe_layer.positional_encoding_gaussian_matrix"
    learned = learn(tiny_backbone, slices, SHORT)
    pretrained = tiny_backbone.prompt_encoder.state_dict()[name]
    assert torch.equal(learned.encoder.state_dict()[name], pretrained)


def test_the_learned_encoder_is_frozen(tiny_backbone, slices):
    encoder = learn(tiny_backbone, slices, SHORT).encoder
    assert not encoder.training
    assert not any(weight.requires_grad for weight in encoder.parameters())


def test_learning_lowers_the_loss(tiny_backbone, slices):
    config = AssistConfig(prompts="boxes", steps=24, batch_size=3, least_pixels=4)
    losses = learn(tiny_backbone, slices, config).losses
    assert max(losses[-6:]) < min(losses[:6])


def test_the_seed_decides(tiny_backbone, slices):
    first, again, other = (learn(tiny_backbone, slices, SHORT, seed) for seed in (0, 0, 1))
    assert first.losses == again.losses
    assert same_weights(first.encoder, again.encoder)
    assert first.losses != other.losses


def test_learning_stops_where_the_loss_no_longer_falls(tiny_backbone, slices):
    still = AssistConfig(
        steps=40, batch_size=2, learning_rate=1e-9, patience=3, least_fall=0.5, least_pixels=4
    )
    assert learn(tiny_backbone, slices, still).steps == 6


def test_progress_counts_the_steps(tiny_backbone, slices):
    heard: list[int] = []
    learned = learn(tiny_backbone, slices, SHORT, progress=heard.append)
    assert heard == [1, 2, 3, 4, 5]
    assert learned.steps == 5


def test_slices_without_the_label_teach_nothing(tiny_backbone, slices):
    with pytest.raises(AnnotationError, match="None of the 1 annotated slices has the label"):
        learn_prompt_encoder(
            tiny_backbone,
            slices.embeddings[2:],
            slices.masks[2:],
            slices.frame,
            SHORT,
            torch.Generator().manual_seed(0),
        )


def lessons_of(slices, config, count):
    examples = list(gather_examples(slices.masks, slices.frame, config.scheme, config.least_pixels))
    return islice(_lessons(examples, config, np.random.default_rng(0)), count)


def test_each_kind_of_prompt_gets_its_share_of_the_lessons(slices):
    config = AssistConfig(point_share=3, box_share=2, batch_size=2, least_pixels=4)
    counts = Counter(lesson.prompts[0].kind for lesson in lessons_of(slices, config, 16))
    assert counts == {"points": 6, "box": 4, "points+box": 2, "coarse": 2, "box+coarse": 2}


def test_a_lesson_holds_prompts_of_one_form_with_1_to_n_points_of_each_sign(slices):
    config = AssistConfig(prompts="points", most_points=6, batch_size=3, least_pixels=4)
    lessons = list(lessons_of(slices, config, 80))
    drawn = {prompt.count // 2 for lesson in lessons for prompt in lesson.prompts}
    assert drawn == {1, 2, 3, 4, 5}
    assert all(len({prompt.count for prompt in lesson.prompts}) == 1 for lesson in lessons)


def test_the_point_weights_are_names_of_the_prompt_encoder(tiny_backbone):
    names = {name for name, _ in tiny_backbone.prompt_encoder.named_parameters()}
    assert names >= POINT_WEIGHTS
