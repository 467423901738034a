"""RTSTRUCT: contours of radiotherapy as labels on the grid of the image that they were drawn on.

Source: DICOM PS3.3, A.19 (RT Structure Set IOD), C.8.8.5 and C.8.8.6.
"""

from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.affine import apply_affine, swap_ras_lps
from sammed_volumes.dicom.details import noted
from sammed_volumes.dicom.headers import damage_named, damaged, items_of, number_of, numbers_of, text_of
from sammed_volumes.dicom.masks import PlacedLabels, SliceMask, merge_masks
from sammed_volumes.dicom.polygons import fill_polygons
from sammed_volumes.errors import GeometryMismatchError, UnreadableVolumeError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import Label, default_color

GRID_ELEMENT = 0x04
"""Private element: shape and affine (RAS mm) of the grid of the series, 3 + 16 float64."""

# How far a contour may be off its slice, in slices: positions are often rounded to 0.1 mm.
_OFF_SLICE = 0.3
_SPATIAL = 3
_FARTHEST_MM = 1e6  # a kilometer away, so no number
_MOST_VOXELS = 2**31  # in a grid that is noted; more would be a damaged number
_SEQUENCES = ("StructureSetROISequence", "ROIContourSequence")


def read_contours(path: Path, grid: VoxelGrid, *, flatten: bool = False) -> PlacedLabels:
    """Fill the closed contours of an RTSTRUCT on a grid, at the centers of its pixels.

    A contour within another of the same structure is a hole. Structures without a closed contour are labels
    without a voxel. Raises LabelError if structures overlap, unless `flatten`; GeometryMismatchError if a
    contour is not on a slice of the grid.
    """
    labels, contours = _read(path)
    to_voxels = np.linalg.inv(swap_ras_lps(grid.affine_ras_mm))
    points = {
        number: [apply_affine(to_voxels, each) for each in polygons] for number, polygons in contours.items()
    }
    order = _axes(points)
    shape = (grid.shape[order[0]], grid.shape[order[1]], grid.shape[order[2]])
    masks = [
        mask
        for number, polygons in points.items()
        for mask in _masks(labels[number], [polygon[:, order] for polygon in polygons], shape)
    ]
    merged = merge_masks(masks, shape, labels.values(), flatten=flatten)
    voxels = np.transpose(merged, np.argsort(order))
    named = tuple(sorted(labels.values(), key=lambda label: label.value))
    return PlacedLabels(voxels, grid.affine_ras_mm, named)


def drawn_on(path: Path) -> VoxelGrid | tuple[str, ...]:
    """The grid that an RTSTRUCT of sammed's notes, else the UIDs of the series that it was drawn on."""
    from pydicom import dcmread

    with damage_named(path):
        file = dcmread(path)
        grid = _noted_grid(file)
        if grid is not None:
            return grid
        return tuple(
            text_of(series, "SeriesInstanceUID")
            for frame in items_of(file, "ReferencedFrameOfReferenceSequence")
            for study in items_of(frame, "RTReferencedStudySequence")
            for series in items_of(study, "RTReferencedSeriesSequence")
        )


def _noted_grid(file: Any) -> VoxelGrid | None:
    """The grid in a private element; None without one, and for a damaged one, which may claim any size."""
    numbers = np.frombuffer(noted(file, GRID_ELEMENT) or b"", "<f8")
    if numbers.size != 3 + 16 or not np.isfinite(numbers).all():
        return None
    sides = numbers[:3]
    if (sides < 1).any() or (sides % 1).any() or sides.prod() > _MOST_VOXELS:
        return None
    x, y, z = sides.astype(int).tolist()
    affine_ras_mm = numbers[3:].reshape(4, 4)
    return VoxelGrid((x, y, z), affine_ras_mm) if abs(np.linalg.det(affine_ras_mm)) > 0 else None


def _read(path: Path) -> tuple[dict[int, Label], dict[int, list[np.ndarray]]]:
    """The structures and the points N 3 of their closed contours, LPS mm, by number."""
    from pydicom import dcmread

    with damage_named(path):
        file = dcmread(path)
        if not all(_is_whole(file, keyword) for keyword in _SEQUENCES):
            raise damaged(path)
        labels = _labels(file)
        contours = {number: _closed(item) for number, item in _contours(file).items() if number in labels}
        polygons = [polygon for group in contours.values() for polygon in group]
        if not all(np.abs(polygon).max() < _FARTHEST_MM for polygon in polygons):  # nor for NaN
            raise damaged(path)
    return labels, contours


def _is_whole(file: Any, keyword: str) -> bool:
    """Whether a sequence is there, with all the bytes that it states; pydicom goes on with fewer."""
    if keyword not in file:
        return False
    stored = file.get_item(keyword)  # not parsed yet, unless the file states no length
    value = getattr(stored, "value", None)
    return not isinstance(value, bytes) or len(value) == stored.length


def _labels(file: Any) -> dict[int, Label]:
    """The structures by their numbers; values are these numbers, or 1, 2, 3 where one is no label's value."""
    structures = items_of(file, "StructureSetROISequence")
    numbers = [int(number_of(each, "ROINumber", 0)) for each in structures]
    if len(set(numbers)) < len(numbers):
        raise UnreadableVolumeError("two of its structures have the same number; export it again")
    values = numbers if all(number > 0 for number in numbers) else list(range(1, len(numbers) + 1))
    contours = _contours(file)
    labels = {}
    for structure, number, value in zip(structures, numbers, values, strict=True):
        color = numbers_of(contours.get(number, {}), "ROIDisplayColor", _SPATIAL)
        red, green, blue = (int(np.clip(part, 0, 255)) for part in color or default_color(value))
        labels[number] = Label(value, text_of(structure, "ROIName") or f"label_{value}", (red, green, blue))
    return labels


def _contours(file: Any) -> dict[int, Any]:
    """The contours of each structure, by its number."""
    return {
        int(number_of(item, "ReferencedROINumber", -1)): item for item in items_of(file, "ROIContourSequence")
    }


def _closed(item: Any) -> list[np.ndarray]:
    """The points N 3 of each closed contour, LPS mm; points and open lines hold no area."""
    closed = [
        each
        for each in items_of(item, "ContourSequence")
        if text_of(each, "ContourGeometricType") in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
    ]
    return [np.reshape([float(part) for part in each.ContourData], (-1, _SPATIAL)) for each in closed]


def _axes(points: dict[int, list[np.ndarray]]) -> list[int]:
    """The array axes in the order across, down, through the contours' planes."""
    polygons = [polygon for group in points.values() for polygon in group]
    if not polygons:
        return [0, 1, 2]
    spread = np.max([np.ptp(polygon, axis=0) for polygon in polygons], axis=0)
    through = int(np.argmin(spread))
    if spread[through] > _OFF_SLICE:
        raise GeometryMismatchError("its contours run across the slices; use the image that they fit")
    return [*(axis for axis in range(3) if axis != through), through]


def _masks(label: Label, polygons: list[np.ndarray], shape: tuple[int, int, int]) -> list[SliceMask]:
    by_slice: dict[int, list[np.ndarray]] = {}
    for polygon in polygons:
        place = float(polygon[:, 2].mean())
        if abs(place - round(place)) > _OFF_SLICE or not 0 <= round(place) < shape[2]:
            raise GeometryMismatchError(
                f"a contour of {label.name!r} is not on a slice of the image but at {place:.2f}, counted in "
                "slices; use the image that it was drawn on"
            )
        by_slice.setdefault(round(place), []).append(polygon[:, :2])
    return [SliceMask(label, place, fill_polygons(group, shape[:2])) for place, group in by_slice.items()]
