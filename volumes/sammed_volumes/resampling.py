"""Resampling of labels by shape-based interpolation: Raya and Udupa, IEEE Trans. Med. Imaging 9(1), 1990.

Each label becomes its signed distance, in mm, positive inside. A voxel of the new grid gets the label whose
distance, interpolated linearly between voxel centers, is positive there. Labels don't overlap, so at each
voxel of the old grid two distances add up to 0 or less, and no more than one is positive anywhere.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt

from sammed_volumes.affine import apply_affine, corner_points, spacing_mm
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import LabelVolume

# Distances below this part of the shortest voxel edge are a tie: the point is midway between two labels.
_TIE = 1e-4


def resample_voxels(labels: LabelVolume, grid: VoxelGrid) -> UInt[np.ndarray, "X Y Z"]:
    """Return the labels' values on another grid.

    Works in one label's bounding box at a time, which bounds the memory. Ties go to the nearest voxel, and so
    does a label so thin that nothing of it would be left.
    """
    to_labels = np.linalg.inv(labels.affine_ras_mm) @ grid.affine_ras_mm
    found = np.zeros(grid.shape, dtype=labels.voxels.dtype, order="F")
    for label in labels.labels:
        box = _bounding_box(labels.voxels, label.value)
        if box is None:
            continue
        region = _region(to_labels, box, grid.shape)
        if all(part.start < part.stop for part in region):
            mask = labels.voxels[box] == label.value
            first = np.array([part.start for part in box])
            found[region][_inside(mask, first, region, to_labels, spacing_mm(labels.affine_ras_mm))] = (
                label.value
            )
    return found


def count_outside(labels: LabelVolume, grid: VoxelGrid) -> dict[int, int]:
    """Count the voxels of each label whose centers are outside a grid; labels inside it are left out."""
    to_grid = np.linalg.inv(grid.affine_ras_mm) @ labels.affine_ras_mm
    counts: dict[int, int] = {}
    for k in range(labels.shape[2]):
        plane = labels.voxels[:, :, k]
        points = np.argwhere(plane)
        places = apply_affine(to_grid, np.column_stack((points, np.full(len(points), k))))
        beyond = ((places < -0.5) | (places > np.array(grid.shape) - 0.5)).any(axis=1)
        values, times = np.unique(plane[tuple(points[beyond].T)], return_counts=True)
        for value, count in zip(values.tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
    return dict(sorted(counts.items()))


def _inside(
    mask: Bool[np.ndarray, "x y z"],
    first: np.ndarray,
    region: tuple[slice, ...],
    to_labels: Float[np.ndarray, "4 4"],
    spacing_mm: tuple[float, float, float],
) -> Bool[np.ndarray, "X Y Z"]:
    """Where a region of the new grid is inside a mask, whose first voxel is `first` of the labels' array."""
    from scipy.ndimage import affine_transform

    padded = np.pad(mask, 1)
    begin = np.array([part.start for part in region])
    placing = {
        "matrix": to_labels[:3, :3],
        "offset": apply_affine(to_labels, begin) - (first - 1),
        "output_shape": tuple(part.stop - part.start for part in region),
        "mode": "constant",
    }
    distance_mm = _signed_distance_mm(padded, spacing_mm)
    at_region = affine_transform(distance_mm, order=1, cval=-max(spacing_mm), **placing)
    tie_mm = _TIE * min(spacing_mm)
    inside: Bool[np.ndarray, "X Y Z"] = at_region > tie_mm
    ties = np.argwhere(np.abs(at_region) <= tie_mm)
    nearest = np.floor(apply_affine(to_labels, ties + begin) + 0.5).astype(int) - first
    is_near = ((nearest >= 0) & (nearest < mask.shape)).all(axis=1)
    inside[tuple(ties[is_near].T)] = mask[tuple(nearest[is_near].T)]
    if not inside.any():  # a label one voxel thin
        inside = affine_transform(padded.astype(np.uint8), order=0, **placing) > 0
    return inside


def _signed_distance_mm(
    mask: Bool[np.ndarray, "x y z"], spacing_mm: tuple[float, float, float]
) -> Float[np.ndarray, "x y z"]:
    """Between voxel centers: inside to the nearest voxel outside; outside, negative, to the mask."""
    from scipy.ndimage import distance_transform_edt

    inside_mm = distance_transform_edt(mask, spacing_mm).astype(np.float32)
    outside_mm = distance_transform_edt(~mask, spacing_mm).astype(np.float32)
    distance_mm: Float[np.ndarray, "x y z"] = inside_mm - outside_mm
    return distance_mm


def _bounding_box(voxels: UInt[np.ndarray, "X Y Z"], value: int) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds a label, None for a label without voxels."""
    shown = [np.zeros(length, dtype=bool) for length in voxels.shape]
    for k in range(voxels.shape[2]):
        mask = voxels[:, :, k] == value
        shown[0] |= mask.any(axis=1)
        shown[1] |= mask.any(axis=0)
        shown[2][k] = mask.any()
    if not shown[2].any():
        return None
    first, second, third = (np.flatnonzero(along) for along in shown)
    return (
        slice(int(first[0]), int(first[-1]) + 1),
        slice(int(second[0]), int(second[-1]) + 1),
        slice(int(third[0]), int(third[-1]) + 1),
    )


def _region(
    to_labels: Float[np.ndarray, "4 4"], box: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """The part of the new grid that a box of the labels' array, with half a voxel around it, can reach."""
    size = tuple(part.stop - part.start + 2 for part in box)
    corners = corner_points(size) + [part.start - 1 for part in box]
    reached = apply_affine(np.linalg.inv(to_labels), corners)
    low, high = np.floor(reached.min(axis=0)).astype(int), np.ceil(reached.max(axis=0)).astype(int)
    ends = zip(low.tolist(), high.tolist(), shape, strict=True)
    return tuple(slice(max(begin, 0), min(end + 1, length)) for begin, end, length in ends)
