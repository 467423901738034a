"""Interpolated stacks: a body that moves and grows comes back, empty stays empty, annotations stay."""

from typing import Literal

import numpy as np
import pytest

from sammed.annotations.annotations import Annotations
from sammed.errors import ConfigError
from sammed.interpolation import random_walker
from sammed.interpolation.stack import interpolate_stack
from sammed_volumes.labels import default_label

Method = Literal["mean", "flow", "random-walker"]
METHODS: tuple[Method, ...] = ("mean", "flow", "random-walker")
COUNT, HEIGHT, WIDTH = 17, 61, 53
SPACING_MM = (1.0, 1.0)


def truth() -> np.ndarray:
    """Two labels that drift to the right and swell, from slice 3 to 13; nothing elsewhere."""
    stack = np.zeros((COUNT, HEIGHT, WIDTH), dtype=np.uint8)
    rows, columns = np.indices((HEIGHT, WIDTH))
    for index in range(3, 14):
        radius = 8 + 2 * np.cos((index - 8) / 4)
        stack[index][(rows - 22) ** 2 + (columns - 14 - index) ** 2 < radius**2] = 1
        stack[index][(rows - 45) ** 2 + (columns - 20) ** 2 < (radius / 1.5) ** 2] = 3
    return stack


def images(labels: np.ndarray, noise: float = 0.03) -> list[np.ndarray]:
    values = np.choose(np.minimum(labels, 2), [0.2, 0.7, 0.9])
    noisy = values + np.random.default_rng(0).normal(0, noise, labels.shape)
    return list(np.clip(noisy, 0, 1).astype(np.float32))


def annotations(labels: np.ndarray, indices: tuple[int, ...]) -> Annotations:
    shown = [value for value in (1, 3) if (labels[list(indices)] == value).any()]
    return Annotations(indices, labels[list(indices)], tuple(default_label(value) for value in shown))


def dice(found: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


@pytest.mark.parametrize("method", METHODS)
def test_bodies_that_drift_and_swell_come_back(method: Method) -> None:
    labels = truth()
    given = annotations(labels, (1, 4, 8, 12, 15))
    found = interpolate_stack(images(labels), given, SPACING_MM, 2.0, method)
    between = [index for index in range(5, 12) if index != 8]
    for value in (1, 3):
        assert dice(found.stack[between] == value, labels[between] == value) > 0.93


@pytest.mark.parametrize("method", METHODS)
def test_annotated_slices_stay_as_they_are_and_empty_ones_keep_the_ends_clear(method: Method) -> None:
    labels = truth()
    given = annotations(labels, (1, 4, 8, 12, 15))
    found = interpolate_stack(images(labels), given, SPACING_MM, 2.0, method)
    np.testing.assert_array_equal(found.stack[list(given.indices)], given.masks)
    assert not found.stack[[0, 16]].any()


def test_what_was_left_out_estimates_the_rest() -> None:
    labels = truth()
    found = interpolate_stack(images(labels), annotations(labels, (1, 4, 7, 10, 13, 15)), SPACING_MM, 2.0)
    assert set(found.expected_dice) == set(found.weights) == {1, 3}
    assert all(dice is not None and 0.8 < dice <= 1 for dice in found.expected_dice.values())
    assert all(sum(weights.values()) == pytest.approx(1) for weights in found.weights.values())


@pytest.mark.parametrize("index", [0, 8, 16])
def test_one_annotated_slice_is_carried_both_ways(index: int) -> None:
    labels = np.repeat(truth()[8:9], COUNT, axis=0)
    found = interpolate_stack(images(labels), annotations(labels, (index,)), SPACING_MM, 2.0)
    nearest = index + 1 if index < 16 else 15
    assert dice(found.stack[nearest] == 1, labels[nearest] == 1) > 0.9
    assert found.expected_dice == {1: None, 3: None}


def test_annotated_slices_all_at_one_end_leave_the_other_end_empty() -> None:
    labels = truth()
    found = interpolate_stack(images(labels), annotations(labels, (3, 4, 5)), SPACING_MM, 2.0)
    assert not found.stack[10:].any()


def test_a_label_in_one_slice_only_ends_before_the_next_annotated_one() -> None:
    labels = truth()
    labels[labels == 3] = 0
    labels[8, 44:47, 18:23] = 3
    found = interpolate_stack(images(labels), annotations(labels, (1, 4, 8, 12, 15)), SPACING_MM, 2.0)
    shown = np.flatnonzero((found.stack == 3).any(axis=(1, 2)))
    assert 8 in shown
    assert shown.min() > 4
    assert shown.max() < 12


def test_noise_without_structure_moves_nothing_far() -> None:
    labels = np.repeat(truth()[8:9], COUNT, axis=0)
    noise = np.random.default_rng(1).random(labels.shape).astype(np.float32)
    found = interpolate_stack(list(noise), annotations(labels, (4, 12)), SPACING_MM, 2.0, "flow")
    assert dice(found.stack[8] == 1, labels[8] == 1) > 0.8


def test_identical_slices_and_slices_without_values_are_labeled() -> None:
    labels = truth()
    flat = np.full(labels.shape, 0.5, dtype=np.float32)
    found = interpolate_stack(list(flat), annotations(labels, (4, 8, 12)), SPACING_MM, 2.0)
    assert dice(found.stack[6] == 3, labels[6] == 3) > 0.8


def test_a_volume_of_two_slices() -> None:
    labels = truth()[7:9]
    found = interpolate_stack(images(labels), annotations(labels, (0,)), SPACING_MM, 2.0)
    assert dice(found.stack[1] == 1, labels[1] == 1) > 0.8


def test_the_same_input_gives_the_same_labels() -> None:
    labels = truth()
    given = annotations(labels, (4, 8, 12))
    first, second = (interpolate_stack(images(labels), given, SPACING_MM, 2.0) for _ in range(2))
    np.testing.assert_array_equal(first.stack, second.stack)


def test_an_unknown_method_is_refused() -> None:
    labels = truth()
    with pytest.raises(ConfigError, match="no method 'magic'"):
        interpolate_stack(images(labels), annotations(labels, (4, 8)), SPACING_MM, 2.0, "magic")  # type: ignore[arg-type]


def test_slices_that_jump_are_carried_by_what_is_annotated_around_them() -> None:
    """A missing slice, or another station of the table: all that follows lies elsewhere."""
    labels = truth()
    labels[9:] = np.roll(labels[9:], 11, axis=1)
    given = annotations(labels, (4, 8, 9, 12))
    found = interpolate_stack(images(labels), given, SPACING_MM, 2.0)
    between = [5, 6, 7, 10, 11]
    for value in (1, 3):
        assert dice(found.stack[between] == value, labels[between] == value) > 0.9


def test_pixels_of_unequal_sides_are_measured_in_millimeters() -> None:
    """Rows of 4 mm and columns of 0.5 mm: the same body as in square pixels comes back."""
    labels = np.repeat(truth()[:, ::4], 2, axis=2)
    given = annotations(labels, (1, 4, 8, 12, 15))
    found = interpolate_stack(images(labels), given, (4.0, 0.5), 2.0)
    between = [5, 6, 7, 9, 10, 11]
    assert dice(found.stack[between] == 1, labels[between] == 1) > 0.9


def test_a_gap_that_is_too_large_is_walked_on_smaller_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = truth()
    given = annotations(labels, (4, 8, 12))
    whole = interpolate_stack(images(labels), given, SPACING_MM, 2.0, "random-walker")
    monkeypatch.setattr(random_walker, "MOST_VOXELS", 4_000)
    found = interpolate_stack(images(labels), given, SPACING_MM, 2.0, "random-walker")
    assert whole.reduction == 1
    assert found.reduction > 1
    between = [5, 6, 7, 9, 10, 11]
    for value in (1, 3):
        assert dice(found.stack[between] == value, labels[between] == value) > 0.85
