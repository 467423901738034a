"""Masks: one label on one slice each, merged into a label volume."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import Label, smallest_unsigned


@dataclass(frozen=True, slots=True)
class SliceMask:
    """The pixels X Y of a label on the slice at `place` along axis 2."""

    label: Label
    place: int
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class PlacedLabels:
    """Label voxels X Y Z on a grid, and the labels in ascending order of value."""

    voxels: np.ndarray
    affine_ras_mm: np.ndarray
    labels: tuple[Label, ...]


def merge_masks(
    masks: Iterable[SliceMask], shape: tuple[int, int, int], labels: Iterable[Label], *, flatten: bool
) -> np.ndarray:
    """Label voxels X Y Z; where two labels overlap, the later one wins if `flatten`, else LabelError."""
    names = {label.value: label.name for label in labels}
    merged = np.zeros(shape, dtype=smallest_unsigned(max(names, default=0)), order="F")
    for mask in masks:
        plane = merged[:, :, mask.place]
        taken = plane[mask.pixels]
        others = taken[(taken > 0) & (taken != mask.label.value)]
        if others.size and not flatten:
            raise LabelError(
                f"its segments {names[int(others[0])]!r} and {mask.label.name!r} overlap, and a label volume "
                "has one label a voxel; with --flatten the later one wins"
            )
        plane[mask.pixels] = mask.label.value
    return merged
