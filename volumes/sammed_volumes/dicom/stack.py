"""A stack: the frames of one volume, sorted and checked to be even."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.errors import SeriesError

SAME_PLACE_MM = 1e-3
"""Frames whose heights differ by less lie at one place."""

# Gaps may differ by this part of the usual one; and, as positions are often rounded to a tenth of a mm, by as
# much, but never by so much of the gap that a slice could hide in it.
_EVEN = 0.1
_ROUNDING_MM = 0.101
_NEVER_EVEN = 0.4
_TILT_DEGREES = 0.1
# Fewer frames than this fraction of the slices are not a stack with gaps.
_MOST_FILLED = 0.5


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames by height, evenly spaced; None where a slice is missing, never at the ends."""

    slots: tuple[DicomFrame | None, ...]

    @property
    def frames(self) -> tuple[DicomFrame, ...]:
        """The frames that exist, by height."""
        return tuple(each for each in self.slots if each is not None)

    @property
    def missing(self) -> tuple[int, ...]:
        """The places of the missing slices."""
        return tuple(place for place, each in enumerate(self.slots) if each is None)

    @property
    def affine_ras_mm(self) -> np.ndarray:
        """The 4x4 RAS affine; with a tilted gantry its third column is not at right angles to the others."""
        first, last = self.frames[0], self.frames[-1]
        affine_lps_mm = np.eye(4)
        affine_lps_mm[:3, 0] = np.multiply(first.x_direction_lps, first.pixel_spacing_mm[0])
        affine_lps_mm[:3, 1] = np.multiply(first.y_direction_lps, first.pixel_spacing_mm[1])
        if len(self.slots) > 1:
            step = np.subtract(last.position_lps_mm, first.position_lps_mm) / (len(self.slots) - 1)
            affine_lps_mm[:3, 2] = step
        else:
            affine_lps_mm[:3, 2] = first.normal_lps * first.thickness_mm
        affine_lps_mm[:3, 3] = first.position_lps_mm
        return swap_ras_lps(affine_lps_mm)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: a tilted gantry, slices that were filled in."""
        return (*self._tilt_notes(), *self._missing_notes())

    def _tilt_notes(self) -> tuple[str, ...]:
        step = self.affine_ras_mm[:3, 2] * (-1, -1, 1)
        cosine = float(np.dot(step, self.frames[0].normal_lps) / np.linalg.norm(step))
        tilt_degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        if tilt_degrees < _TILT_DEGREES:
            return ()
        slant = f"a slant of {tilt_degrees:.1f} degrees (gantry tilt)"
        return (f"the slices are stacked at {slant}; the affine keeps it",)

    def _missing_notes(self) -> tuple[str, ...]:
        if not self.missing:
            return ()
        where = ", ".join(map(str, self.missing))
        count = _count_text(len(self.missing))
        they = "it gets" if len(self.missing) == 1 else "they get"
        return (f"{count} missing and filled with background, at {where} along axis 2; {they} no labels",)


def sort_frames(frames: Sequence[DicomFrame], *, fill_gaps: bool = False) -> Stack:
    """Sort the frames of one volume by height.

    With `fill_gaps` a gap of whole slices becomes missing slices. Raises SeriesError where the frames are not
    one even stack, and says where.
    """
    ordered = sorted(frames, key=lambda each: each.height_mm)
    if len(ordered) < 2:
        return Stack(tuple(ordered))
    gaps_mm = np.diff([each.height_mm for each in ordered])
    _check_distinct(ordered, gaps_mm)
    usual_mm = float(np.median(gaps_mm))
    tolerance_mm = min(max(_EVEN * usual_mm, _ROUNDING_MM), _NEVER_EVEN * usual_mm)
    uneven = np.flatnonzero(np.abs(gaps_mm - usual_mm) > tolerance_mm)
    if uneven.size and not (fill_gaps and all(_is_whole(gaps_mm[each] / usual_mm) for each in uneven)):
        raise SeriesError(_uneven_text(ordered, gaps_mm, usual_mm, uneven, fill_gaps=fill_gaps))
    places = np.concatenate([[0], np.cumsum(_steps(gaps_mm, usual_mm, uneven))])
    _check_straight(ordered, places, usual_mm)
    return Stack(_slots(ordered, places))


def _steps(gaps_mm: np.ndarray, usual_mm: float, uneven: np.ndarray) -> np.ndarray:
    """Return the distance of each frame from the previous one, in slices."""
    steps = np.ones(len(gaps_mm), dtype=int)
    steps[uneven] = np.round(gaps_mm[uneven] / usual_mm)
    return steps


def _slots(ordered: Sequence[DicomFrame], places: np.ndarray) -> tuple[DicomFrame | None, ...]:
    count = int(places[-1]) + 1
    if len(ordered) < _MOST_FILLED * count:
        missing = f"{count - len(ordered)} of its {count} slices are missing"
        raise SeriesError(f"{missing}, too many to fill in; export the series again")
    slots: list[DicomFrame | None] = [None] * count
    for place, each in zip(places.tolist(), ordered, strict=True):
        slots[place] = each
    return tuple(slots)


def _check_distinct(ordered: Sequence[DicomFrame], gaps_mm: np.ndarray) -> None:
    closest = int(np.argmin(gaps_mm))
    if gaps_mm[closest] < SAME_PLACE_MM:
        raise SeriesError(
            f"two of its slices have the same position, {_pair(ordered, closest)}, and different pixels, and "
            "no header distinguishes them; keep one of them"
        )


def _check_straight(ordered: Sequence[DicomFrame], places: np.ndarray, usual_mm: float) -> None:
    positions = np.array([each.position_lps_mm for each in ordered])
    line = positions[0] + (places / places[-1])[:, np.newaxis] * (positions[-1] - positions[0])
    off_mm = np.linalg.norm(positions - line, axis=1)
    worst = int(np.argmax(off_mm))
    if off_mm[worst] > max(_EVEN * len(ordered), 1.0) * usual_mm:
        raise SeriesError(
            f"its slices are not on one line: {ordered[worst].text} is {off_mm[worst]:.3g} mm off; "
            "move slices of another series to another folder"
        )


def _is_whole(times: float) -> bool:
    return times > 1.5 and abs(times - round(times)) <= _EVEN * times


def _uneven_text(
    ordered: Sequence[DicomFrame],
    gaps_mm: np.ndarray,
    usual_mm: float,
    uneven: np.ndarray,
    *,
    fill_gaps: bool,
) -> str:
    worst = int(uneven[np.argmax(gaps_mm[uneven])])
    times = gaps_mm[worst] / usual_mm
    is_missing = _is_whole(times)
    fact = f"{_count_text(round(times) - 1)} missing" if is_missing else "its slices are not evenly spaced"
    more = uneven.size - 1
    others = f", and {more} more gap{'s' * (more > 1)} differ{'s' * (more == 1)}" if more else ""
    fill = ", or fill the gaps with --fill-gaps" if is_missing and not fill_gaps else ""
    return (
        f"{fact} between {_pair(ordered, worst)}: they are {gaps_mm[worst]:.4g} mm apart, "
        f"most are {usual_mm:.4g} mm{others}; complete the series, or resample it to even slices{fill}"
    )


def _count_text(count: int) -> str:
    return "1 slice is" if count == 1 else f"{count} slices are"


def _pair(ordered: Sequence[DicomFrame], index: int) -> str:
    low, high = (f"{each.text} (at {each.height_mm:.4g} mm)" for each in ordered[index : index + 2])
    return f"{low} and {high}"
