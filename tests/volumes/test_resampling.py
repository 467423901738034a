"""Resampling: labels of a known shape keep it on another grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sammed_volumes.affine import apply_affine
from sammed_volumes.errors import GeometryMismatchError
from sammed_volumes.labels import LabelVolume, complete_labels
from sammed_volumes.placing import labels_on
from sammed_volumes.resampling import count_outside, resample_voxels
from sammed_volumes.volume import Volume

# Ellipsoids: center and radii in RAS mm. The second touches the first, the third is small.
_ORGANS = (((0, 0, 0), (25, 18, 22)), ((38, 0, 4), (13, 15, 17)), ((-4, 36, 3), (9, 8, 10)))


def organs(affine: np.ndarray, shape: tuple[int, int, int], name: str = "truth.nii.gz") -> LabelVolume:
    """The analytic truth on a grid: a voxel has the label of its center."""
    points_mm = apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1).astype(float))
    voxels = np.zeros(shape, np.uint8)
    for value, (center, radii) in enumerate(_ORGANS, start=1):
        voxels[(((points_mm - center) / radii) ** 2).sum(axis=-1) <= 1] = value
    return LabelVolume(voxels, affine, complete_labels(voxels, ()), Path(name))


def grid(
    spacing: tuple[float, float, float], degrees: float = 0.0, extent_mm: float = 140.0
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A cube around the organs, turned about z and then about x."""
    x, y, z = (round(extent_mm / step) for step in spacing)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ [[1, 0, 0], [0, cos, -sin], [0, sin, cos]]
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = (3.0, 2.0, 1.0) - affine[:3, :3] @ (np.array([x, y, z]) - 1) / 2
    return affine, (x, y, z)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(grid((1, 1, 1)), grid((0.9, 1.1, 1.3)), id="another spacing"),
        pytest.param(grid((1, 1, 3)), grid((1, 1, 1)), id="thick slices to thin ones"),
        pytest.param(grid((1, 1, 1)), grid((1, 1, 3)), id="thin slices to thick ones"),
        pytest.param(grid((1, 1, 2)), grid((1, 1, 2), degrees=20), id="turned"),
        pytest.param(
            grid((1.2, 1.2, 1.2), degrees=-30), grid((0.8, 0.8, 2.0), degrees=10), id="both oblique"
        ),
        pytest.param(grid((2, 2, 2)), grid((1, 1, 1)), id="every other point midway"),
    ],
)
def test_labels_keep_their_shape_and_volume(
    source: tuple[np.ndarray, tuple[int, int, int]], target: tuple[np.ndarray, tuple[int, int, int]]
) -> None:
    labels, truth = organs(*source), organs(*target)
    said: list[str] = []
    image = Volume(np.zeros(target[1], np.uint8), target[0], path=Path("image.nii.gz"))
    found = labels_on(image, labels, resample=True, report=said.append)
    assert found.shape == target[1]
    assert found.labels == labels.labels
    voxel_mm3 = abs(np.linalg.det(target[0][:3, :3]))
    for label, (_, radii) in zip(labels.labels, _ORGANS, strict=True):
        mask = found.voxels == label.value
        assert dice(mask, truth.voxels == label.value) > 0.95
        volume_mm3 = 4 / 3 * np.pi * np.prod(radii)
        assert mask.sum() * voxel_mm3 == pytest.approx(volume_mm3, rel=0.03)
    assert len(said) == 1
    assert said[0].startswith("truth.nii.gz: resampled onto the grid of image.nii.gz, since the ")


def test_on_its_own_lattice_nothing_changes() -> None:
    affine, shape = grid((1, 1, 2), degrees=7)
    labels = organs(affine, shape)
    np.testing.assert_array_equal(resample_voxels(labels, labels.grid), labels.voxels)


def test_no_gap_opens_between_labels_that_touch() -> None:
    """Midway between two labels both distances are 0; that point belongs to one of them."""
    voxels = np.ones((6, 6, 6), np.uint8)
    voxels[3:] = 2
    labels = LabelVolume(voxels, np.diag([2.0, 2.0, 2.0, 1.0]), complete_labels(voxels, ()))
    fine = Volume(np.zeros((11, 11, 11), np.uint8), np.eye(4))
    found = resample_voxels(labels, fine.grid)
    assert (found > 0).all()
    assert (found[:5] == 1).all()
    assert (found[6:] == 2).all()


def test_labels_are_cut_where_the_image_ends_and_that_is_reported() -> None:
    affine, shape = grid((1, 1, 1), extent_mm=50)
    labels = organs(*grid((1.5, 1.5, 1.5)))
    said: list[str] = []
    image = Volume(np.zeros(shape, np.uint8), affine, path=Path("image.nii.gz"))
    with pytest.raises(GeometryMismatchError, match=r"all \d+ voxels of the label .* are outside"):
        labels_on(image, labels, resample=True)
    first = LabelVolume(
        np.where(labels.voxels == 1, labels.voxels, 0), labels.affine_ras_mm, labels.labels[:1]
    )
    labels_on(image, first, resample=True, report=said.append)
    assert any("labeled voxels are outside image.nii.gz and are left out (label_1: " in text for text in said)
    assert (
        sum(count_outside(labels, image.grid).values()) > sum(count_outside(first, image.grid).values()) > 0
    )


def test_a_label_that_falls_between_the_voxels_is_refused() -> None:
    voxels = np.zeros((40, 40, 40), np.uint8)
    voxels[11, 13, 17] = 1
    labels = LabelVolume(voxels, np.diag([0.5, 0.5, 0.5, 1.0]), complete_labels(voxels, ()))
    coarse = Volume(np.zeros((5, 5, 5), np.uint8), np.diag([4.0, 4.0, 4.0, 1.0]))
    with pytest.raises(GeometryMismatchError, match="are between the voxels of the volume"):
        labels_on(coarse, labels, resample=True)
