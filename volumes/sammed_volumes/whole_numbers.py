"""Whole numbers: a label volume's voxels as unsigned integers, however the file stores them.

Integers are views, not copies. Floating-point voxels, which many programs write, are converted by planes;
values that scaling or compression moved off a whole number by at most 1e-3 are rounded.
"""

from dataclasses import dataclass

import numpy as np

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import smallest_unsigned
from sammed_volumes.volume import Volume, planes

LARGEST_FRACTION = 1e-3


@dataclass(slots=True)
class _Found:
    """What the planes seen so far contain: the highest value, and counts of values that are not whole."""

    highest: int = 0
    rounded: int = 0
    rounded_example: str = ""
    fractional: int = 0
    fractional_example: str = ""


def whole_numbers(volume: Volume) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the values as unsigned integers X Y Z, and a note if some were rounded.

    Raises LabelError for negative and fractional values, and those that are not finite.
    """
    stored = volume.voxels
    is_scaled = volume.slope != 1.0 or volume.intercept != 0.0
    if stored.dtype.kind == "f" or is_scaled:
        return _convert(volume)
    if stored.dtype.kind == "i":
        lowest = min(float(plane.min()) for plane in planes(stored))
        _check_not_negative(lowest)
        return stored.view(stored.dtype.str.replace("i", "u")), ()
    return stored, ()


def _convert(volume: Volume) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert in two passes: the first checks and finds the highest value, the second fills the array."""
    found = _Found()
    for plane in planes(volume.voxels):
        _look_at(_real(volume, plane), plane, found)
    if found.fractional:
        raise LabelError(
            f"it contains fractional values such as {found.fractional_example} ({found.fractional} voxels), "
            "but labels are whole numbers; use the label file, or resample labels without interpolation"
        )
    if found.rounded and found.highest == 0:
        raise LabelError(
            f"all its values round to 0, such as {found.rounded_example} ({found.rounded} voxels); "
            "save the labels as whole numbers"
        )
    whole = np.empty(volume.shape, dtype=smallest_unsigned(found.highest), order="F")
    for k in range(volume.shape[2]):
        whole[:, :, k] = np.rint(_real(volume, volume.voxels[:, :, k]))
    if not found.rounded:
        return whole, ()
    return whole, (
        f"{found.rounded} values are not exactly whole, such as {found.rounded_example}; they were rounded",
    )


def _real(volume: Volume, plane: np.ndarray) -> np.ndarray:
    # float64 for one plane: float32 does not represent every whole number above 2^24.
    real: np.ndarray = plane.astype(np.float64) * volume.slope + volume.intercept
    return real


def _look_at(values: np.ndarray, stored: np.ndarray, found: _Found) -> None:
    """Add a plane of values to `found`; raises LabelError for negative values and those not finite."""
    if not np.isfinite(values).all():
        raise LabelError("it contains values that are not finite; replace NaN and infinity by 0")
    nearest = np.rint(values)
    distance = np.abs(values - nearest)
    is_fractional = distance > LARGEST_FRACTION
    if is_fractional.any():
        found.fractional_example = found.fractional_example or _first(values, stored, is_fractional)
        found.fractional += int(np.count_nonzero(is_fractional))
        return
    _check_not_negative(float(nearest.min()))
    is_rounded = distance > 0
    if is_rounded.any():
        found.rounded_example = found.rounded_example or _first(values, stored, is_rounded)
        found.rounded += int(np.count_nonzero(is_rounded))
    found.highest = max(found.highest, int(nearest.max()))


def _first(values: np.ndarray, stored: np.ndarray, which: np.ndarray) -> str:
    """Return the first such value with all its digits, in the type of the file if that states it exactly."""
    value, as_stored = values[which][0], stored[which][0]
    exact = as_stored if as_stored == value else value
    return np.format_float_positional(exact, trim="-")


def _check_not_negative(lowest: float) -> None:
    if lowest < 0:
        raise LabelError(
            f"it contains negative values such as {lowest:g}, but labels are 0 or more; use the label file"
        )
