"""Whole numbers: a label volume's voxels as unsigned integers, however the file stores them.

Integers are viewed, not copied; floating-point voxels (many programs write labels so) are converted plane by
plane.
"""

import numpy as np

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import smallest_unsigned
from sammed_volumes.volume import Volume, planes


def whole_numbers(volume: Volume) -> np.ndarray:
    """The values as unsigned integers X Y Z; LabelError names a negative or fractional one."""
    if volume.is_color:
        return _gray_of_color(volume)
    stored = volume.voxels
    is_scaled = volume.slope != 1.0 or volume.intercept != 0.0
    if stored.dtype.kind == "f" or is_scaled:
        return _converted(volume)
    if stored.dtype.kind == "i":
        lowest = min(float(plane.min()) for plane in planes(stored))
        _check_not_negative(lowest)
        return stored.view(stored.dtype.str.replace("i", "u"))
    return stored


def _converted(volume: Volume) -> np.ndarray:
    """Two passes: the first finds what is wrong and the highest value, the second fills the smallest type."""
    highest = max(_highest_whole(_real(volume, plane)) for plane in planes(volume.voxels))
    whole = np.empty(volume.shape, dtype=smallest_unsigned(highest), order="F")
    for k in range(volume.shape[2]):
        whole[:, :, k] = _real(volume, volume.voxels[:, :, k])
    return whole


def _real(volume: Volume, plane: np.ndarray) -> np.ndarray:
    # float64 for one plane: a label value above 2^24 is no whole number in float32.
    real: np.ndarray = plane.astype(np.float64) * volume.slope + volume.intercept
    return real


def _highest_whole(values: np.ndarray) -> int:
    if not np.isfinite(values).all():
        raise LabelError("it holds values that are not finite, and labels are whole numbers")
    fractional = values[values != np.floor(values)]
    if fractional.size:
        raise LabelError(
            f"it holds fractional values such as {fractional[0]:.6g}, and labels are whole numbers; "
            "give the label file, or resample labels without interpolation"
        )
    _check_not_negative(float(values.min()))
    return int(values.max())


def _check_not_negative(lowest: float) -> None:
    if lowest < 0:
        raise LabelError(
            f"it holds negative values such as {lowest:g}, and labels are 0 or more; give the label file"
        )


def _gray_of_color(volume: Volume) -> np.ndarray:
    """A mask that some program saved in color, though it is gray."""
    first = volume.voxels[..., 0]
    if not (volume.voxels == first[..., np.newaxis]).all():
        raise LabelError("it is a color picture, and labels are whole numbers; save it in gray values")
    return first
