"""Whole numbers: a label volume's voxels as unsigned integers, however the file stores them.

Integers are views, not copies. Floating-point voxels, which many programs write, are converted by planes.
"""

import numpy as np

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import smallest_unsigned
from sammed_volumes.volume import Volume, planes


def whole_numbers(volume: Volume) -> np.ndarray:
    """Return the values as unsigned integers X Y Z; raises LabelError if one is negative or fractional."""
    if volume.is_color:
        return _gray_of_color(volume)
    stored = volume.voxels
    is_scaled = volume.slope != 1.0 or volume.intercept != 0.0
    if stored.dtype.kind == "f" or is_scaled:
        return _convert(volume)
    if stored.dtype.kind == "i":
        lowest = min(float(plane.min()) for plane in planes(stored))
        _check_not_negative(lowest)
        return stored.view(stored.dtype.str.replace("i", "u"))
    return stored


def _convert(volume: Volume) -> np.ndarray:
    """Convert in two passes: the first checks and finds the highest value, the second fills the array."""
    highest = max(_highest_whole(_real(volume, plane)) for plane in planes(volume.voxels))
    whole = np.empty(volume.shape, dtype=smallest_unsigned(highest), order="F")
    for k in range(volume.shape[2]):
        whole[:, :, k] = _real(volume, volume.voxels[:, :, k])
    return whole


def _real(volume: Volume, plane: np.ndarray) -> np.ndarray:
    # float64 for one plane: float32 does not represent every whole number above 2^24.
    real: np.ndarray = plane.astype(np.float64) * volume.slope + volume.intercept
    return real


def _highest_whole(values: np.ndarray) -> int:
    if not np.isfinite(values).all():
        raise LabelError(
            "it contains values that are not finite, but labels are whole numbers; use the label file"
        )
    fractional = values[values != np.floor(values)]
    if fractional.size:
        raise LabelError(
            f"it contains fractional values such as {fractional[0]:.6g}, but labels are whole numbers; "
            "use the label file, or resample labels without interpolation"
        )
    _check_not_negative(float(values.min()))
    return int(values.max())


def _check_not_negative(lowest: float) -> None:
    if lowest < 0:
        raise LabelError(
            f"it contains negative values such as {lowest:g}, but labels are 0 or more; use the label file"
        )


def _gray_of_color(volume: Volume) -> np.ndarray:
    """Return the values of a gray mask that a program saved in color."""
    first = volume.voxels[..., 0]
    if not (volume.voxels == first[..., np.newaxis]).all():
        raise LabelError("it is a color picture, but labels are whole numbers; save it in gray values")
    return first
