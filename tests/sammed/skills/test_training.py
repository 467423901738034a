"""Training a skill: what is trained, on which slices, and that the seed decides."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import annotate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan, open_scan
from sammed.progress import Silent, Task
from sammed.skills.model import SkillModel
from sammed.skills.training import SkillConfig, train_auto, train_skill
from sammed_volumes.intensity import Window

if TYPE_CHECKING:
    from tests.conftest import Phantom

WINDOW = Window(-900.0, 500.0, "hu")


@pytest.fixture
def scan(phantom: Callable[..., "Phantom"], tiny_backbone: Backbone) -> Scan:
    return open_scan(phantom().volume, tiny_backbone, window=WINDOW)


@pytest.fixture
def annotations(phantom: Callable[..., "Phantom"], scan: Scan) -> Annotations:
    """Two slices with all labels, an empty one."""
    labels = phantom().labels
    return annotate(scan.slicing, labels, labels.labels, slice_index=(5, 7), empty_slices=(0,))


def learn(
    scan: Scan, annotations: Annotations, config: SkillConfig, seed: int = 0, **settings: bool
) -> SkillModel:
    return train_skill(scan, annotations, config, seed, Silent(), **settings)


def numbers(skill: SkillModel) -> dict[str, torch.Tensor]:
    return {f"{value}/{name}": each for value, own in skill.encoders.items() for name, each in own.items()}


def test_a_skill_holds_what_it_was_trained_on(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig], tiny_backbone: Backbone
) -> None:
    skill = learn(scan, annotations, few_steps(), seed=4, auto=False)
    assert (skill.backbone, skill.backbone_digest) == ("tiny", tiny_backbone.digest)
    assert (skill.plane, skill.axis, skill.window, skill.seed) == ("axial", 2, WINDOW, 4)
    assert skill.volume_sha256 == scan.digest
    assert skill.labels == annotations.labels
    assert skill.auto is None


def test_each_label_has_an_encoder_of_its_own(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig], tiny_backbone: Backbone
) -> None:
    skill = learn(scan, annotations, few_steps(), auto=False)
    assert set(skill.encoders) == {1, 2, 4}
    start = dict(tiny_backbone.prompt_encoder.named_parameters())
    for value, encoder in skill.encoders.items():
        assert set(encoder) == {f"{part}.{name}" for part in ("points", "boxes") for name in start}
        for part in ("points", "boxes"):
            changed = [name for name in start if not encoder[f"{part}.{name}"].equal(start[name])]
            assert changed, f"nothing was learned for {part} of label {value}"
    first, second = (numbers(skill)[f"{value}/boxes.no_mask_embed.weight"] for value in (1, 2))
    assert not first.equal(second)


def test_the_backbone_stays_as_it_was(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig], tiny_backbone: Backbone
) -> None:
    encoder = tiny_backbone.image_encoder
    assert isinstance(encoder, nn.Module)
    parts = (encoder, tiny_backbone.mask_decoder, tiny_backbone.prompt_encoder)
    before = [{name: each.clone() for name, each in part.state_dict().items()} for part in parts]
    learn(scan, annotations, few_steps())
    for part, state in zip(parts, before, strict=True):
        for name, each in part.state_dict().items():
            assert torch.equal(each, state[name]), name
        assert all(weight.grad is None for weight in part.parameters())


def test_the_seed_decides(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig]
) -> None:
    first, same, other = (learn(scan, annotations, few_steps(), seed, auto=False) for seed in (1, 1, 2))
    assert all(each.equal(numbers(same)[name]) for name, each in numbers(first).items())
    assert not all(each.equal(numbers(other)[name]) for name, each in numbers(first).items())


def test_learning_the_generator_again_with_the_same_seed_gives_the_same(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig]
) -> None:
    """So `auto-train` after `assist-train --no-auto` is `assist-train`."""
    whole = learn(scan, annotations, few_steps(), seed=3)
    later = learn(scan, annotations, few_steps(), seed=3, auto=False)
    later = train_auto(later, scan, annotations, few_steps(), 3, Silent())
    first, second = whole.require_auto(), later.require_auto()
    assert first.choices == second.choices
    assert first.sap_net.prototypes.looks.equal(second.sap_net.prototypes.looks)
    assert first.classifier.weight.equal(second.classifier.weight)


def test_only_annotated_slices_are_encoded(
    scan: Scan,
    annotations: Annotations,
    few_steps: Callable[..., SkillConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Training without a generator encodes no other slice; with one, neighbors at most."""
    looked_at: list[int] = []
    embeddings = Scan.embeddings

    def note(self: Scan, indices: Iterable[int]) -> Tensor:
        indices = list(indices)
        looked_at.extend(indices)
        return embeddings(self, indices)

    monkeypatch.setattr(Scan, "embeddings", note)
    learn(scan, annotations, few_steps(), auto=False)
    assert set(looked_at) <= set(annotations.indices)


def test_a_label_that_only_one_slice_shows_is_segmented_the_plain_way(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig]
) -> None:
    masks = annotations.masks.copy()
    masks[-1][masks[-1] == 4] = 2
    alone = replace(annotations, masks=masks)
    choice = learn(scan, alone, few_steps()).require_auto().choices[4]
    assert (choice.rule_name, choice.mask_from, choice.smoothing_mm, choice.expected_dice) == (
        "box",
        "decoder",
        0,
        None,
    )


def test_progress_is_reported(
    scan: Scan, annotations: Annotations, few_steps: Callable[..., SkillConfig]
) -> None:
    class Listener(Silent):
        def __init__(self) -> None:
            self.names: list[str] = []

        @contextmanager
        def task(self, name: str, total: int | None) -> Iterator[Task]:
            self.names.append(name)
            with super().task(name, total) as task:
                yield task

    listener = Listener()
    train_skill(scan, annotations, few_steps(), 0, listener)
    assert listener.names == [
        "prompt encoder of lung",
        "prompt encoder of heart",
        "prompt encoder of tumour",
        "SAP-Net",
        "cross-validation, label by label",
    ]
    assert np.isin(annotations.indices, (0, 5, 7)).all()
