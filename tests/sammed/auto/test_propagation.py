"""Propagation on cylinders whose ends are known, with a SAM whose masks are known."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch

from sammed.annotations.annotations import Annotations
from sammed.auto.labeling import highest_wins
from sammed.auto.propagation import PropagationConfig, propagate, surviving_points
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan, open_scan
from sammed.errors import ConfigError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import default_label
from sammed_volumes.volume import Volume

SHAPE = (17, 37, 41)


def cylinders(*parts: tuple[int, range, tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """Image and truth of cylinders (label, slices, center, brightness) along the stack, in dark and noise."""
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    image, truth = np.full(SHAPE, 0.1), np.zeros(SHAPE, dtype=np.uint8)
    for label, slices, (y, x), brightness in parts:
        disc = (rows - y) ** 2 + (columns - x) ** 2 <= 36
        for index in slices:
            image[index][disc] = brightness
            truth[index][disc] = label
    noise = np.random.default_rng(0).normal(0, 0.01, SHAPE)
    return np.clip(image + noise, 0, 1), truth


def run(
    scan: Scan, annotations: Annotations, config: PropagationConfig | None = None, seed: int = 0
) -> np.ndarray:
    """Labels S H W by propagation."""
    encoders = {label.value: scan.backbone.prompt_encoder for label in annotations.labels}
    rng = np.random.default_rng(seed)
    logits = propagate(scan, annotations, encoders, config or PropagationConfig(), rng)
    return highest_wins(scan, logits, annotations.labels)


def slices_of(stack: np.ndarray, value: int = 1) -> list[int]:
    return np.flatnonzero((stack == value).any(axis=(1, 2))).tolist()


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


@pytest.fixture
def cylinder(encode: Callable[..., Scan], brightness_backbone: Backbone) -> tuple[Scan, np.ndarray]:
    image, truth = cylinders((1, range(4, 13), (18, 20), 0.8))
    return encode(image, brightness_backbone), truth


@pytest.mark.parametrize("prompt", ["points", "box"])
def test_follows_a_cylinder_to_its_ends_and_not_beyond(
    prompt: Literal["points", "box"],
    cylinder: tuple[Scan, np.ndarray],
    annotate: Callable[..., Annotations],
) -> None:
    scan, truth = cylinder
    found = run(scan, annotate(truth, (8,)), PropagationConfig(prompt=prompt))
    assert slices_of(found) == list(range(4, 13))
    assert overlap(found == 1, truth == 1) > 0.93


def test_does_not_cross_a_gap(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], brightness_backbone: Backbone
) -> None:
    image, truth = cylinders((1, range(2, 7), (18, 20), 0.8), (1, range(9, 14), (18, 20), 0.8))
    scan = encode(image, brightness_backbone)
    assert slices_of(run(scan, annotate(truth, (4,)))) == list(range(2, 7))
    assert slices_of(run(scan, annotate(truth, (4, 11)))) == [*range(2, 7), *range(9, 14)]


def test_an_annotated_slice_without_the_label_ends_a_run(
    cylinder: tuple[Scan, np.ndarray], annotate: Callable[..., Annotations]
) -> None:
    scan, truth = cylinder
    said = truth.copy()
    said[10] = 0  # annotated as empty: it ends here
    assert slices_of(run(scan, annotate(said, (7, 10)))) == [4, 5, 6, 7, 8, 9]


def test_annotated_slices_keep_their_masks(
    cylinder: tuple[Scan, np.ndarray], annotate: Callable[..., Annotations]
) -> None:
    scan, truth = cylinder
    said = truth.copy()
    said[8] = 0
    said[8, 10:30, 5:12] = 1  # not what the decoder would have said
    found = run(scan, annotate(said, (6, 8, 11)))
    assert overlap(found[8] == 1, said[8] == 1) > 0.95
    assert overlap(found[6] == 1, truth[6] == 1) > 0.95


def test_several_labels_stay_apart(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], brightness_backbone: Backbone
) -> None:
    image, truth = cylinders((1, range(3, 9), (10, 10), 0.9), (5, range(6, 15), (25, 28), 0.5))
    found = run(encode(image, brightness_backbone), annotate(truth, (7,)))
    assert (slices_of(found, 1), slices_of(found, 5)) == (list(range(3, 9)), list(range(6, 15)))
    assert set(np.unique(found)) == {0, 1, 5}


def test_each_of_two_components_gets_its_own_points(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], brightness_backbone: Backbone
) -> None:
    """Of different brightness, so that points of both in one prompt would find neither."""
    image, truth = cylinders((1, range(3, 9), (10, 10), 0.9), (1, range(6, 15), (25, 28), 0.5))
    found = run(encode(image, brightness_backbone), annotate(truth, (7,)))
    assert slices_of(found) == list(range(3, 15))
    assert overlap(found == 1, truth == 1) > 0.9


def test_runs_that_meet_are_averaged(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], brightness_backbone: Backbone
) -> None:
    """With every pixel of the mask as a point nothing is random, and the runs can be distinguished."""
    image, truth = cylinders((1, range(4, 13), (18, 20), 0.8))
    image[8, 15:22, 15:19] = 0.7
    image[9, 15:22, 15:19] = 0.1  # a hole: the run from above brings no points to where it is 0.7
    scan = encode(image, brightness_backbone)
    encoders = {1: scan.backbone.prompt_encoder}
    config = PropagationConfig(points=10_000, tolerance=1e6)

    def logits(*indices: int) -> torch.Tensor:
        rng = np.random.default_rng(0)
        return propagate(scan, annotate(truth, indices), encoders, config, rng)[0][8].float()

    from_below, from_above = logits(5), logits(11)
    assert (from_below - from_above).abs().max() > 0.2
    torch.testing.assert_close(logits(5, 11), (from_below + from_above) / 2, atol=5e-3, rtol=0)


def test_the_same_seed_gives_the_same_and_another_may_not(
    cylinder: tuple[Scan, np.ndarray], annotate: Callable[..., Annotations]
) -> None:
    scan, truth = cylinder
    encoders = {1: scan.backbone.prompt_encoder}
    annotations = annotate(truth, (8,))

    def logits(seed: int) -> torch.Tensor:
        rng = np.random.default_rng(seed)
        return propagate(scan, annotations, encoders, PropagationConfig(), rng)[0]

    first, again, other = logits(0), logits(0), logits(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_label_on_every_slice_annotated_needs_no_run(
    cylinder: tuple[Scan, np.ndarray], annotate: Callable[..., Annotations]
) -> None:
    scan, truth = cylinder
    found = run(scan, annotate(truth, tuple(range(SHAPE[0]))))
    assert slices_of(found) == list(range(4, 13))


def test_a_color_picture_is_segmented_as_annotated(brightness_backbone: Backbone) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (40, 30, 1, 3), dtype=np.uint8)
    volume = Volume(stored, np.eye(4))
    scan = open_scan(volume, brightness_backbone, window=Window(0.0, 255.0, "value"))
    masks = np.zeros((1, *scan.slicing.stack_shape[1:]), dtype=np.uint8)
    masks[0, 5:15, 8:20] = 1
    found = run(scan, Annotations((0,), masks, (default_label(1),)))
    assert overlap(found == 1, masks == 1) > 0.95


def test_progress_is_called_for_each_label(
    cylinder: tuple[Scan, np.ndarray], annotate: Callable[..., Annotations]
) -> None:
    scan, truth = cylinder
    steps: list[int] = []
    encoders = {1: scan.backbone.prompt_encoder}
    propagate(
        scan, annotate(truth, (8,)), encoders, PropagationConfig(), np.random.default_rng(0), steps.append
    )
    assert steps == [1]


def test_points_survive_within_lambda_standard_deviations() -> None:
    image = np.array([[0.2, 0.4, 0.9], [0.2, 0.4, 0.9]])
    mask = np.array([[True, True, False], [True, True, False]])  # standard deviation 0.1
    following = np.array([[0.29, 0.4, 0.9], [0.2, 0.61, 0.1]])
    points = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # changes 0.09, 0, 0, 0.21
    kept = surviving_points(image, mask, points, following, tolerance=1.0)
    assert kept.tolist() == [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert len(surviving_points(image, mask, points, following, tolerance=0.5)) == 2
    assert len(surviving_points(image, mask, points, following, tolerance=3.0)) == 4


@pytest.mark.parametrize(
    "settings",
    [{"points": 0}, {"tolerance": 0.0}, {"tolerance": -1.0}, {"tolerance": float("nan")}, {"prompt": "mask"}],
)
def test_rejects_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Propagation"):
        PropagationConfig(**settings)
