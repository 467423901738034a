"""DICOM slices: the files of one series, sorted and checked to be an even stack.

A slice's position is the center of its first pixel, in LPS millimeters; its height is the position along the
normal of its plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.errors import SeriesError

# A gap may differ from the usual one by this fraction of it, or, since positions are often rounded to a tenth
# of a mm, by that much; but never by so much that a slice could be missing.
_EVEN = 0.1
_ROUNDING_MM = 0.101
_NEVER_EVEN = 0.4
_SAME_DIRECTION = 1e-3
_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, slots=True)
class DicomSlice:
    """The header of one file."""

    path: Path
    series: str
    number: str
    description: str
    modality: str
    shape: tuple[int, int]
    position_lps_mm: tuple[float, float, float]
    x_direction_lps: tuple[float, float, float]
    y_direction_lps: tuple[float, float, float]
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: float

    @property
    def normal_lps(self) -> np.ndarray:
        """The direction perpendicular to the slice."""
        return np.cross(self.x_direction_lps, self.y_direction_lps)

    @property
    def height_mm(self) -> float:
        """The position along the normal."""
        return float(np.dot(self.normal_lps, self.position_lps_mm))


def sort_slices(slices: Sequence[DicomSlice]) -> list[DicomSlice]:
    """Sort the slices of one series by height; raises SeriesError if they are not one even stack."""
    _check_alike(slices)
    ordered = sorted(slices, key=lambda each: each.height_mm)
    _check_even(ordered)
    return ordered


def stack_affine(ordered: Sequence[DicomSlice]) -> np.ndarray:
    """Return the 4x4 RAS affine of sorted slices; a tilted gantry makes it sheared."""
    first, last = ordered[0], ordered[-1]
    affine_lps_mm = np.eye(4)
    affine_lps_mm[:3, 0] = np.multiply(first.x_direction_lps, first.pixel_spacing_mm[0])
    affine_lps_mm[:3, 1] = np.multiply(first.y_direction_lps, first.pixel_spacing_mm[1])
    if len(ordered) > 1:
        affine_lps_mm[:3, 2] = np.subtract(last.position_lps_mm, first.position_lps_mm) / (len(ordered) - 1)
    else:
        affine_lps_mm[:3, 2] = first.normal_lps * first.thickness_mm
    affine_lps_mm[:3, 3] = first.position_lps_mm
    return swap_ras_lps(affine_lps_mm)


def _check_alike(slices: Sequence[DicomSlice]) -> None:
    first = slices[0]
    for each in slices[1:]:
        if each.shape != first.shape:
            raise SeriesError(
                f"its slices differ in size: {_size(first)} pixels in {first.path.name}, {_size(each)} in "
                f"{each.path.name}; move one kind to another folder"
            )
        if not np.allclose(_plane(each), _plane(first), atol=_SAME_DIRECTION):
            raise SeriesError(
                f"its slices differ in direction or pixel spacing ({each.path.name} from {first.path.name}; "
                "it may be a scout view); move one kind to another folder"
            )


def _plane(each: DicomSlice) -> np.ndarray:
    return np.concatenate([each.x_direction_lps, each.y_direction_lps, each.pixel_spacing_mm])


def _size(each: DicomSlice) -> str:
    return f"{each.shape[0]} x {each.shape[1]}"


def _check_even(ordered: Sequence[DicomSlice]) -> None:
    if len(ordered) < 2:
        return
    gaps_mm = np.diff([each.height_mm for each in ordered])
    closest = int(np.argmin(gaps_mm))
    if gaps_mm[closest] < _SAME_PLACE_MM:
        raise SeriesError(
            f"two of its slices have the same position, {_pair(ordered, closest)}; "
            "remove duplicates, and move other phases or echoes to another folder"
        )
    usual_mm = float(np.median(gaps_mm))
    tolerance_mm = min(max(_EVEN * usual_mm, _ROUNDING_MM), _NEVER_EVEN * usual_mm)
    uneven = np.flatnonzero(np.abs(gaps_mm - usual_mm) > tolerance_mm)
    if uneven.size:
        raise SeriesError(_uneven_text(ordered, gaps_mm, usual_mm, uneven))
    _check_straight(ordered, usual_mm)


def _check_straight(ordered: Sequence[DicomSlice], usual_mm: float) -> None:
    positions = np.array([each.position_lps_mm for each in ordered])
    line = np.linspace(positions[0], positions[-1], len(ordered))
    off_mm = np.linalg.norm(positions - line, axis=1)
    worst = int(np.argmax(off_mm))
    if off_mm[worst] > max(_EVEN * len(ordered), 1.0) * usual_mm:
        name = ordered[worst].path.name
        raise SeriesError(
            f"its slices are not on one line: {name} is {off_mm[worst]:.3g} mm off; "
            "move slices of another series to another folder"
        )


def _uneven_text(
    ordered: Sequence[DicomSlice], gaps_mm: np.ndarray, usual_mm: float, uneven: np.ndarray
) -> str:
    worst = int(uneven[np.argmax(gaps_mm[uneven])])
    times = gaps_mm[worst] / usual_mm
    is_missing = times > 1.5 and abs(times - round(times)) <= _EVEN * times
    missing = round(times) - 1
    lost = "1 slice is missing" if missing == 1 else f"{missing} slices are missing"
    fact = lost if is_missing else "its slices are not evenly spaced"
    more = uneven.size - 1
    others = f", and {more} more gap{'s' * (more > 1)} differ{'s' * (more == 1)}" if more else ""
    return (
        f"{fact} between {_pair(ordered, worst)}: they are {gaps_mm[worst]:.4g} mm apart, "
        f"most are {usual_mm:.4g} mm{others}; complete the series, or resample it to even slices"
    )


def _pair(ordered: Sequence[DicomSlice], index: int) -> str:
    low, high = (f"{each.path.name} (at {each.height_mm:.4g} mm)" for each in ordered[index : index + 2])
    return f"{low} and {high}"
