"""Lattices: whether two grids have their voxels at the same points, however their arrays store them.

A crop, a larger canvas, another order of the axes and other directions leave the points as they are. Labels
on such a grid go onto an image's grid voxel by voxel, and nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from sammed_volumes.affine import apply_affine, corner_points, spacing_mm
from sammed_volumes.grid import VoxelGrid, spacing_difference
from sammed_volumes.labels import count_values
from sammed_volumes.orientation import patient_axes, patient_signs

# Every voxel must lie this close to a voxel of the image, in the shortest edge of the image's voxels. Arrays
# of one shape may be 0.05 apart (`VoxelGrid.is_like`), because their voxels pair up whatever the headers
# round to. Here the headers alone decide which voxels pair up. Affines in float32 round by 1e-4 of a voxel at
# most.
_TOLERANCE_VOXELS = 1e-3
_SMALLEST_TURN_DEGREES = 0.01

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class LatticeMap:
    """How a label array goes onto an image's array: its axes are permuted, then flipped, then shifted.

    Label axis `axes[a]` runs along image axis a, against it where `flips[a]`. Turned in this way the labels
    have the shape `size`, and their first voxel is voxel `start` of the image, which may be outside. `shape`
    is the image's.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    start: tuple[int, int, int]
    size: tuple[int, int, int]
    shape: tuple[int, int, int]

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Voxels of the labels' array before and after the image, along each axis."""
        return tuple(
            (max(-start, 0), max(start + size - length, 0))
            for start, size, length in zip(self.start, self.size, self.shape, strict=True)
        )

    @property
    def overlaps(self) -> bool:
        """Whether the two arrays share a voxel."""
        return all(part.start < part.stop for part in self._inside)

    @property
    def covered(self) -> tuple[int, ...]:
        """How many voxels of the image the labels' array covers along each axis."""
        return tuple(max(part.stop - part.start, 0) for part in self._inside)

    def slices(self, axis: int, indices: Iterable[int]) -> tuple[int, tuple[int, ...]]:
        """Map slices along an axis of the labels to (axis, indices) of the image; drop those outside."""
        along = self.axes.index(axis)
        last = self.size[along] - 1
        mapped = [self.start[along] + (last - index if self.flips[along] else index) for index in indices]
        return along, tuple(sorted(index for index in mapped if 0 <= index < self.shape[along]))

    def turn(self, voxels: Shaped[np.ndarray, "X Y Z"]) -> Shaped[np.ndarray, "X Y Z"]:
        """Return a view of the labels with the image's axes and directions."""
        return voxels.transpose(self.axes)[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def place(self, voxels: Shaped[np.ndarray, "X Y Z"]) -> Shaped[np.ndarray, "X Y Z"]:
        """Copy the labels into an array of the image's shape; 0 where they have no voxel."""
        placed = np.zeros(self.shape, dtype=voxels.dtype, order="F")
        if self.overlaps:
            placed[self._inside] = self.turn(voxels)[self._covered]
        return placed

    def outside(self, voxels: Shaped[np.ndarray, "X Y Z"]) -> dict[int, int]:
        """Count the voxels of each label that lie outside the image; labels that lie inside are left out."""
        if not any(before or after for before, after in self.margins):
            return {}
        counts = count_values(voxels)
        inside = count_values(self.turn(voxels)[self._covered]) if self.overlaps else {}
        beyond = {value: count - inside.get(value, 0) for value, count in counts.items() if value > 0}
        return {value: count for value, count in sorted(beyond.items()) if count > 0}

    @property
    def _inside(self) -> tuple[slice, ...]:
        """The voxels of the image that the labels' array covers."""
        ends = zip(self.start, self.size, self.shape, strict=True)
        return tuple(slice(max(start, 0), min(start + size, length)) for start, size, length in ends)

    @property
    def _covered(self) -> tuple[slice, ...]:
        """The same voxels, as indices of the turned labels."""
        parts = zip(self._inside, self.start, strict=True)
        return tuple(slice(inside.start - start, inside.stop - start) for inside, start in parts)


def find_map(image: VoxelGrid, labels: VoxelGrid) -> LatticeMap | None:
    """Return the map of labels onto an image, or None if their voxels are at different points.

    The tolerance is 0.001 of the image's shortest voxel edge for every voxel of the labels. Grids of one
    shape within the 0.05 of `VoxelGrid.is_like` are the same grid; ask that first. Labels whose positions say
    nothing (`VoxelGrid.is_made_up`) have a map only if they cover the image exactly: a scaled mask would pass
    for a crop.
    """
    turn, start = _nearest(image, labels)
    if _distance_voxels(image, labels, turn, start) > _TOLERANCE_VOXELS:
        return None
    axes = [int(axis) for axis in np.abs(turn).argmax(axis=1)]
    flips = tuple(bool(flip) for flip in turn.sum(axis=1) < 0)
    size = [labels.shape[axis] for axis in axes]
    first = [
        int(begin) - (length - 1 if flip else 0)
        for begin, length, flip in zip(start, size, flips, strict=True)
    ]
    if labels.is_made_up and (any(first) or tuple(size) != image.shape):
        return None
    return LatticeMap(_three(axes), _three(flips), _three(first), _three(size), _three(image.shape))


def lattice_difference(image: VoxelGrid, labels: VoxelGrid) -> str:
    """Describe in one phrase why labels do not share the image's lattice: what the user has to correct.

    "" if they differ in nothing but positions that a reader made up.
    """
    turn, start = _nearest(image, labels)
    axes = np.abs(turn).argmax(axis=1)
    turned_mm = labels.affine_ras_mm[:3, axes] * turn[np.arange(3), axes]
    steps = np.array(labels.shape)[axes] - 1
    if text := spacing_difference(image, spacing_mm(turned_mm), steps):
        return text
    degrees = _largest_angle(image.affine_ras_mm[:3, :3], turned_mm)
    if degrees >= _SMALLEST_TURN_DEGREES:
        return f"the axes are turned by {degrees:.3g} degrees"
    shapes = image.shape_difference(labels) if image.shape != labels.shape else ""
    if labels.is_made_up or not image.is_placed:
        return shapes  # how far apart positions are says nothing if a reader made them up
    off_voxels = _distance_voxels(image, labels, turn, start)
    return ", and ".join(filter(None, (shapes, _shift_text(image, off_voxels))))


def reorientation(grid: VoxelGrid, codes: str) -> tuple[LatticeMap, VoxelGrid]:
    """Return how a grid is stored with its axes toward `codes` ("RAS"), and that grid.

    Codes are three letters of which one is R or L, one A or P and one S or I; ValueError for others.
    """
    wanted = [place for code in codes for place, pair in enumerate(("LR", "PA", "IS")) if code in pair]
    if len(codes) != 3 or sorted(wanted) != [0, 1, 2]:
        raise ValueError(codes)
    patient, signs = patient_axes(grid.affine_ras_mm), patient_signs(grid.affine_ras_mm)
    axes = [patient.index(place) for place in wanted]
    flips = [(signs[axis] > 0) != (code in "RAS") for axis, code in zip(axes, codes, strict=True)]
    affine_ras_mm = grid.affine_ras_mm.copy()
    for place, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        step_mm = grid.affine_ras_mm[:3, axis]
        affine_ras_mm[:3, place] = -step_mm if flip else step_mm
        affine_ras_mm[:3, 3] += step_mm * (grid.shape[axis] - 1) if flip else 0.0
    shape = _three([grid.shape[axis] for axis in axes])
    return LatticeMap(_three(axes), _three(flips), (0, 0, 0), shape, shape), VoxelGrid(shape, affine_ras_mm)


def _shift_text(image: VoxelGrid, off_voxels: float) -> str:
    return f"the voxel centers are up to {off_voxels * min(image.spacing_mm):.3g} mm apart"


def _nearest(image: VoxelGrid, labels: VoxelGrid) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """The signed permutation and whole shift nearest to the map from label indices to the image's."""
    to_image = np.linalg.inv(image.affine_ras_mm) @ labels.affine_ras_mm
    turn = np.zeros((3, 3))
    for axis, (image_axis, sign) in enumerate(
        zip(patient_axes(to_image), patient_signs(to_image), strict=True)
    ):
        turn[image_axis, axis] = sign
    middle = (np.array(labels.shape) - 1) / 2
    start = np.round(apply_affine(to_image, middle) - turn @ middle)
    return turn, start


def _distance_voxels(image: VoxelGrid, labels: VoxelGrid, turn: np.ndarray, start: np.ndarray) -> float:
    """Largest distance of a label voxel from its voxel of the image, in the image's shortest voxel edge.

    The distance is that of two affine maps, so no voxel exceeds the corners.
    """
    corners = corner_points(labels.shape)
    theirs_mm = apply_affine(labels.affine_ras_mm, corners)
    ours_mm = apply_affine(image.affine_ras_mm, corners @ turn.T + start)
    return float(np.linalg.norm(theirs_mm - ours_mm, axis=1).max() / min(image.spacing_mm))


def _largest_angle(ours_mm: np.ndarray, theirs_mm: np.ndarray) -> float:
    """Degrees between the axes of two grids, column by column; the largest."""
    ours, theirs = (columns / np.linalg.norm(columns, axis=0) for columns in (ours_mm, theirs_mm))
    sines = np.linalg.norm(np.cross(ours, theirs, axis=0), axis=0)
    return float(np.degrees(np.arctan2(sines, (ours * theirs).sum(axis=0))).max())


def _three(values: Sequence[Part]) -> tuple[Part, Part, Part]:
    first, second, third = values
    return first, second, third
