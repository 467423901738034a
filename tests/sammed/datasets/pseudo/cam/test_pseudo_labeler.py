"""The method `cam` from end to end: presence of a disc alone yields its outline."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.pseudo.cam import reading
from sammed.datasets.pseudo.cam.classifier import Classifier, ClassRow, as_imagenet
from sammed.datasets.pseudo.cam.config import CamConfig, CamPrompt
from sammed.datasets.pseudo.cam.pseudo_labeler import CamLabeler
from sammed.datasets.pseudo.methods import config_type, make_labeler
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.errors import AnnotationError
from sammed.metrics.evaluation import dice
from sammed_volumes.labels import Label
from tests.conftest import MakePhantom
from tests.sammed.conftest import Notes
from tests.sammed.datasets.pseudo.conftest import SetMaker

from ..conftest import SHAPE, disc, mask_of, voxels_of

TRUE_DISC = disc((30, 15))
CONFIG = CamConfig(image_size=32, epochs=1, batch_size=8)


class BrightnessNetwork(torch.nn.Module):
    """Class 1 where something is bright; its map is the brightness itself."""

    def __init__(self) -> None:
        super().__init__()
        layer = torch.nn.Conv2d(3, 1, 1, bias=False)
        torch.nn.init.constant_(layer.weight, 1 / 3)
        self.trunk = torch.nn.ModuleDict({"layer4": layer})

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        bright = (self.trunk["layer4"](as_imagenet(pixels)) - 0.8).relu().mean((1, 2, 3))
        return torch.stack([torch.full_like(bright, 0.5), 100 * bright], dim=1)


@pytest.fixture
def known_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learned: the classifier is one that knows what is bright."""

    def learn(pictures: Any, names: Sequence[str], config: Any, **_settings: Any) -> Classifier:
        rows = tuple(ClassRow(name, 1.0, 1.0, 1.0, 2) for name in names)
        return Classifier(BrightnessNetwork().eval(), tuple(names), config.image_size, "by hand", rows)

    monkeypatch.setattr(reading, "train_classifier", learn)


def run(
    labeled_set: LabeledSet, backbone: Backbone, notes: Notes, config: CamConfig = CONFIG
) -> list[PseudoLabel]:
    labeler = CamLabeler(config, Tools(lambda: backbone))
    gold = labeled_set.keep(lambda case: case.is_gold)
    return list(labeler.label(gold, labeled_set.unlabeled, notes))


@pytest.mark.parametrize("prompts", ["box", "box+point", "point"])
def test_presence_alone_yields_a_mask(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    known_classifier: None,
    prompts: CamPrompt,
) -> None:
    found, empty = run(disc_set, brightness_backbone, notes, replace(CONFIG, prompts=prompts))
    assert found.outcome == "labeled"
    assert dice(mask_of(found), TRUE_DISC) > 0.9
    assert 0.5 < found.score <= 1
    assert found.label_scores == {1: found.score}
    assert empty.outcome == "nothing"
    assert empty.reason == "The classifier finds no disc."
    assert "resnet18, by hand, separates none, disc with a mean recall of 1.00" in notes.messages[0]


def test_slices_of_a_volume_are_told_apart(
    phantom: MakePhantom, brightness_backbone: Backbone, notes: Notes, known_classifier: None, tmp_path: Path
) -> None:
    import nibabel

    from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
    from sammed_volumes.formats import write_labels

    made = phantom(modality="mr")
    nibabel.save(
        nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), tmp_path / "image.nii.gz"
    )
    heart = np.where(made.labels.voxels == 2, 2, 0).astype(np.uint8)
    labels = replace(made.labels, voxels=heart, labels=(made.labels.labels[1],))
    write_labels(labels, tmp_path / "labels.nii.gz", like=made.volume)
    cases = (
        Case("gold", tmp_path / "image.nii.gz", tmp_path / "labels.nii.gz", "gold"),
        Case("unknown", tmp_path / "image.nii.gz"),
    )
    labeled_set = LabeledSet(tmp_path, labels.labels, cases)
    (found,) = run(labeled_set, brightness_backbone, notes)
    assert found.outcome == "labeled"
    assert voxels_of(found).shape == made.volume.shape
    assert not voxels_of(found)[:, :, [0, -1]].any(), "slices of air hold no heart"


def test_a_case_that_cannot_be_read_fails_alone(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes, known_classifier: None, tmp_path: Path
) -> None:
    (tmp_path / "unknown-with.png").unlink()
    failed, empty = run(disc_set, brightness_backbone, notes)
    assert (failed.outcome, empty.outcome) == ("failed", "nothing")


def test_without_contrast_there_is_nothing_to_learn(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes
) -> None:
    for index in range(3):
        set_maker.add(f"with{index}", disc((12 + index, 20)), gold=True)
    with pytest.raises(AnnotationError, match="All gold pictures hold disc"):
        run(set_maker.made(), brightness_backbone, notes)


def test_without_gold_there_is_nothing_to_learn(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes
) -> None:
    set_maker.add("unknown", disc((12, 20)), gold=False)
    with pytest.raises(AnnotationError, match="no gold picture"):
        run(set_maker.made(), brightness_backbone, notes)


def test_a_label_that_cannot_be_told_apart_is_left_out(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two labels on one picture, so each has its own classifier; that of the second sees nothing."""
    for index in range(3):
        both = disc((12, 20)).astype(int) + 2 * disc((34, 20))
        set_maker.add(f"both{index}", both > 0, gold=True)
        set_maker._write(f"both{index}_mask.png", both)
        set_maker.add(f"without{index}", np.zeros(SHAPE, dtype=bool), gold=True)
    set_maker.add("unknown", disc((30, 15)), gold=False)

    def learn(pictures: Any, names: Sequence[str], config: Any, **_settings: Any) -> Classifier:
        recall = 1.0 if names[1] == "one" else 0.5
        rows = tuple(ClassRow(name, recall, recall, recall, 2) for name in names)
        return Classifier(BrightnessNetwork().eval(), tuple(names), config.image_size, "by hand", rows)

    monkeypatch.setattr(reading, "train_classifier", learn)
    labels = (Label(1, "one", (1, 2, 3)), Label(2, "two", (4, 5, 6)))
    (found,) = run(set_maker.made(labels), brightness_backbone, notes)
    assert set(found.label_scores) == {1}
    assert "can't separate none, two" in notes.messages[-1]


def test_a_real_classifier_goes_the_same_way(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes
) -> None:
    """Untrained and not asked to be good: all that is checked is that it fits the set and the backbone."""
    config = replace(CONFIG, least_gain=0.0)
    try:
        found = run(disc_set, brightness_backbone, notes, config)
    except AnnotationError as error:
        assert "can't tell none, disc apart" in str(error)  # noqa: PT017
    else:
        assert not any(each.failed for each in found)


def test_the_method_has_its_name(brightness_backbone: Backbone) -> None:
    config = config_type("cam")(network="resnet34")
    assert make_labeler("cam", config, Tools(lambda: brightness_backbone)).name == "cam"
