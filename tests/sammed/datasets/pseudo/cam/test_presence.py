"""What is told apart: all labels at once where they exclude one another, else each for itself."""

import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.pseudo.cam.config import ClassifierConfig
from sammed.datasets.pseudo.cam.presence import SeenPicture, as_pictures, plan_tasks, seen_pictures
from sammed.errors import AnnotationError
from sammed_volumes.labels import Label
from tests.sammed.conftest import Notes

BENIGN, MALIGNANT = Label(1, "benign", (1, 2, 3)), Label(2, "malignant", (4, 5, 6))
LABELS = (BENIGN, MALIGNANT)


def seen(*present: set[int], channels: int = 1) -> list[SeenPicture]:
    pixels = torch.zeros(channels, 4, 4)
    return [SeenPicture(f"case{index}", pixels, frozenset(each)) for index, each in enumerate(present)]


def test_labels_that_exclude_one_another_are_classes_of_one_classifier(notes: Notes) -> None:
    pictures = seen(set(), {1}, {2}, {1})
    (task,) = plan_tasks(pictures, LABELS, "auto", notes)
    assert (task.values, task.names) == ((0, 1, 2), ("none", "benign", "malignant"))
    assert as_pictures(pictures, task).classes.tolist() == [0, 1, 2, 1]


def test_without_normal_pictures_only_the_labels_are_classes(notes: Notes) -> None:
    pictures = seen({1}, {2})
    (task,) = plan_tasks(pictures, LABELS, "auto", notes)
    assert (task.values, task.label_names) == ((1, 2), ("benign", "malignant"))
    assert as_pictures(pictures, task).classes.tolist() == [0, 1]


def test_labels_in_one_picture_have_a_classifier_each(notes: Notes) -> None:
    pictures = seen(set(), {1, 2}, {2})
    tasks = plan_tasks(pictures, LABELS, "auto", notes)
    assert [task.values for task in tasks] == [(0, 1), (0, 2)]
    assert as_pictures(pictures, tasks[0]).classes.tolist() == [0, 1, 0]


def test_each_label_may_be_asked_for_by_itself(notes: Notes) -> None:
    tasks = plan_tasks(seen(set(), {1}, {2}), LABELS, "each", notes)
    assert [task.names for task in tasks] == [("none", "benign"), ("none", "malignant")]


def test_a_label_in_every_picture_is_passed_over(notes: Notes) -> None:
    (task,) = plan_tasks(seen({1}, {1, 2}), LABELS, "auto", notes)
    assert task.names == ("none", "malignant")
    assert notes.messages == ["Skipped labels, which all gold pictures have or none has: benign."]


def test_without_any_contrast_nothing_is_learned(notes: Notes) -> None:
    with pytest.raises(AnnotationError, match="All gold pictures hold benign or malignant"):
        plan_tasks(seen({1, 2}, {1, 2}), LABELS, "auto", notes)


def test_gray_pictures_among_colored_ones_get_three_channels(notes: Notes) -> None:
    pictures = [*seen(set(), channels=3), *seen({1})]
    (task,) = plan_tasks(pictures, [BENIGN], "auto", notes)
    assert as_pictures(pictures, task).pixels.shape == (2, 3, 4, 4)


def test_what_gold_pictures_hold(disc_set: LabeledSet, brightness_backbone: Backbone) -> None:
    found = seen_pictures(disc_set, ClassifierConfig(image_size=32), brightness_backbone)
    assert [sorted(each.present) for each in found] == [[1], []] * 6
    assert found[0].pixels.shape == (1, 32, 32)
    assert found[0].pixels.max() > found[1].pixels.min()
