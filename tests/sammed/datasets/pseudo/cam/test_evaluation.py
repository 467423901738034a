"""Prompts from maps beside prompts from the truth."""

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.pseudo.cam.activation import ActivationMapper
from sammed.datasets.pseudo.cam.classifier import Classifier, ClassRow
from sammed.datasets.pseudo.cam.config import CamConfig, CamPoint, CamPrompt
from sammed.datasets.pseudo.cam.evaluation import Overlap, evaluate_prompts, overlap
from sammed.datasets.pseudo.cam.presence import Task
from sammed.datasets.pseudo.cam.reading import Reader
from tests.sammed.datasets.pseudo.conftest import SetMaker

from ..conftest import disc


def test_the_three_measures_by_hand() -> None:
    prediction = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    truth = np.array([[1, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    found = overlap(prediction, truth)
    assert (found.dice, found.iou, found.pixel_accuracy) == pytest.approx((2 / 4, 1 / 3, 6 / 8))
    nothing = np.zeros((2, 2), dtype=bool)
    assert overlap(nothing, nothing) == Overlap(1.0, 1.0, 1.0)


class TrueMap(ActivationMapper):
    """Maps that are right, shifted, or empty, in place of an activation map."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask

    def maps(self, pixels: torch.Tensor, class_index: int, shape: tuple[int, int]) -> torch.Tensor:
        assert class_index == 1
        return torch.from_numpy(self.mask.astype(np.float32))[None]


@pytest.fixture
def truth_set(set_maker: SetMaker) -> LabeledSet:
    set_maker.add("with", disc((30, 15)), gold=True)
    set_maker.add("without", np.zeros((40, 48), dtype=bool), gold=True)
    return set_maker.made()


def reader(mask: np.ndarray) -> Reader:
    classifier = Classifier(
        torch.nn.Identity(), ("none", "disc"), 32, "by hand", (ClassRow("disc", 0.5, 0.25, 0.333, 4),)
    )
    return Reader(Task((0, 1), ("none", "disc")), classifier, CamConfig(image_size=32), TrueMap(mask))


WAYS: tuple[tuple[CamPrompt, CamPoint], ...] = (("box", "center"), ("point", "center"), ("point", "maximum"))


def test_a_map_that_is_right_reaches_what_the_truth_does(
    truth_set: LabeledSet, brightness_backbone: Backbone
) -> None:
    rows = evaluate_prompts(truth_set.cases, truth_set, [reader(disc((30, 15)))], brightness_backbone, WAYS)
    assert [(row.prompts, row.point) for row in rows] == list(WAYS)
    for row in rows:
        assert row.pictures == 1, "the picture without the label doesn't count"
        assert (row.label, row.network, row.classes, row.activation) == ("disc", "resnet18", 2, "grad-cam")
        assert row.from_truth.dice > 0.9
        # The maximum of a map of one value is its first pixel, so that point alone is another.
        share = row.from_map.dice / row.from_truth.dice
        assert row.from_map == row.from_truth or (row.point == "maximum" and share > 0.9)


def test_a_map_that_is_wrong_falls_behind(truth_set: LabeledSet, brightness_backbone: Backbone) -> None:
    (row,) = evaluate_prompts(
        truth_set.cases, truth_set, [reader(disc((8, 32), 4))], brightness_backbone, WAYS[:1]
    )
    assert row.from_map.dice < 0.2 < row.from_truth.dice


def test_a_map_of_zeros_finds_nothing(truth_set: LabeledSet, brightness_backbone: Backbone) -> None:
    (row,) = evaluate_prompts(
        truth_set.cases, truth_set, [reader(np.zeros((40, 48)))], brightness_backbone, WAYS[:1]
    )
    assert (row.from_map.dice, row.from_map.iou) == (0, 0)
    assert row.from_map.pixel_accuracy == pytest.approx(1 - disc((30, 15)).mean())
