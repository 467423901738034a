"""Placing: labels of one file on the grid of another, voxel by voxel where both share a lattice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sammed_volumes.errors import GeometryMismatchError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import LabelVolume
from sammed_volumes.lattice import LatticeMap, find_map, lattice_difference
from sammed_volumes.resampling import count_outside, resample_voxels
from sammed_volumes.volume import Volume

logger = logging.getLogger("sammed")

_REMEDY = "use labels made on that image, or resample these (`sammed convert --like IMAGE --resample`)"
_PLACELESS_IMAGE_REMEDY = "use its original in NIfTI or DICOM, or labels that were made on this file"
_PLACELESS_REMEDY = "save the labels with the size and position of the image"


@dataclass(frozen=True, slots=True)
class Fit:
    """How labels lie on an image.

    `map` brings them onto its grid exactly, None if that is not possible; then `difference` is a phrase that
    says why. `is_same` is True for the very grid. `outside` counts, by label value, the voxels beyond the
    image.
    """

    is_same: bool
    map: LatticeMap | None
    difference: str | None
    outside: Mapping[int, int]


def fit(grid: VoxelGrid, labels: LabelVolume) -> Fit:
    """Find out how labels lie on an image's grid."""
    if grid.is_like(labels.grid):
        return Fit(True, find_map(grid, VoxelGrid(grid.shape, grid.affine_ras_mm)), None, {})
    found = find_map(grid, labels.grid)
    if found is None:
        return Fit(False, None, lattice_difference(grid, labels.grid), {})
    return Fit(False, found, None, found.outside(labels.voxels))


def labels_on(
    image: Volume | LabelVolume,
    labels: LabelVolume,
    *,
    resample: bool = False,
    report: Callable[[str], None] | None = None,
) -> LabelVolume:
    """Return the labels on the image's grid: the same object if they already are.

    Labels on the same lattice go there voxel by voxel. Others are refused, or with `resample` go there by
    shape-based interpolation. `report` is called with a sentence about labels that have another extent than
    the image, are outside it or were resampled; by default the logger `sammed` gets it.

    Raises GeometryMismatchError for labels on another lattice, and if all of a label is outside the image.
    """
    found, grid = fit(image.grid, labels), image.grid
    if found.is_same:
        return labels
    say = report or logger.warning
    if found.map is not None:
        placed, outside = found.map.place(labels.voxels), found.outside
    elif labels.grid.is_made_up:
        difference = " and ".join(filter(None, (found.difference, "it has no position of its own")))
        raise _mismatch(image, labels, difference, _PLACELESS_REMEDY)
    elif not grid.is_placed:
        placeless = f"{_name(image)} has no position of its own"
        difference = " and ".join(filter(None, (found.difference, placeless)))
        raise _mismatch(image, labels, difference, _PLACELESS_IMAGE_REMEDY)
    elif resample:
        placed, outside = resample_voxels(labels, grid), count_outside(labels, grid)
        say(f"{_name(labels)}: resampled onto the grid of {_name(image)}, since {found.difference}.")
    else:
        raise _mismatch(image, labels, found.difference or "", _REMEDY)
    _check_inside(labels, image, placed, outside)
    if found.map is not None and (found.map.size != grid.shape or any(found.map.start)):
        say(_extent_text(labels, image, found.map))
    if outside:
        say(_outside_text(labels, image, outside))
    is_resampled = labels.resampled or found.map is None
    return replace(
        labels,
        voxels=placed,
        affine_ras_mm=grid.affine_ras_mm,
        is_placed=grid.is_placed,
        resampled=is_resampled,
    )


def check_overlap(image: LabelVolume, labels: LabelVolume, found: Fit) -> None:
    """Raise GeometryMismatchError if labels on the image's lattice share no voxel with it."""
    if found.map is not None and not found.map.overlaps:
        raise _mismatch(image, labels, "they share no voxel", "use labels of one scan")


def widened(labels: LabelVolume, found: LatticeMap) -> LabelVolume:
    """Return the labels on a canvas that also has room for what `found` brings onto their grid."""
    margins = found.margins
    affine_ras_mm = labels.affine_ras_mm.copy()
    affine_ras_mm[:3, 3] -= affine_ras_mm[:3, :3] @ [before for before, _ in margins]
    return replace(labels, voxels=np.pad(labels.voxels, margins), affine_ras_mm=affine_ras_mm)


def _check_inside(
    labels: LabelVolume, image: Volume | LabelVolume, placed: np.ndarray, outside: Mapping[int, int]
) -> None:
    shown = LabelVolume(placed, image.affine_ras_mm, labels.labels).voxel_counts()
    for label, count in zip(labels.labels, labels.voxel_counts().values(), strict=True):
        if count and not shown[label.value]:
            lost = outside.get(label.value, 0)
            where = f"outside {_name(image)}" if lost else f"between the voxels of {_name(image)}"
            raise GeometryMismatchError(
                f"{_name(labels)}: all {count} voxels of the label {label.name!r} are {where}; "
                "use the labels of this image, or remove that label.",
                f"{labels.grid} against {image.grid}",
            )


def _extent_text(labels: LabelVolume, image: Volume | LabelVolume, found: LatticeMap) -> str:
    size, covered, shape = (" x ".join(map(str, each)) for each in (found.size, found.covered, found.shape))
    if found.covered == found.shape:
        return f"{_name(labels)}: its {size} voxels are cut to the {shape} of {_name(image)}."
    first = ", ".join(str(max(start, 0)) for start in found.start)
    part = f"it covers {covered} of the {shape} voxels of {_name(image)}, from voxel ({first}) on"
    return f"{_name(labels)}: {part}; the rest is background."


def _outside_text(labels: LabelVolume, image: Volume | LabelVolume, outside: Mapping[int, int]) -> str:
    names = {label.value: label.name for label in labels.labels}
    parts = ", ".join(f"{names[value]}: {count}" for value, count in outside.items())
    total = sum(outside.values())
    return f"{_name(labels)}: {total} labeled voxels are outside {_name(image)} and are left out ({parts})."


def _mismatch(
    image: Volume | LabelVolume, labels: LabelVolume, difference: str, remedy: str
) -> GeometryMismatchError:
    return GeometryMismatchError(
        f"{_name(labels)} is not on the grid of {_name(image)}: {difference}; {remedy}.",
        f"{labels.grid} against {image.grid}",
    )


def _name(volume: Volume | LabelVolume) -> str | Path:
    if volume.path is not None:
        return volume.path
    return "the volume" if isinstance(volume, Volume) else "the label volume"
