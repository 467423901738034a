"""Mask cleaning: a mask of 0 and 255 whose border or compression added other values.

JPEG changes values near every edge, and anti-aliasing fills borders with intermediate ones. Read as labels,
each such value would be one. They are cleaned only if nothing else can be meant: every value between black
and white lies where both are near.
"""

import numpy as np

from sammed_volumes.errors import LabelError

_WHITE = 255
_DARK, _BRIGHT = 32, 224  # JPEG moves values of a flat region by less
_JPEG_REACH, _BORDER_REACH = 4, 2  # pixels from an edge
_STRAY_SHARE = 0.005  # of the bright pixels
_FEW, _MANY = 2, 8  # different intermediate values
_REMEDY = "save the mask as PNG with one value per label, without smoothing"


def cleaned(values: np.ndarray, *, is_lossy: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return 8-bit label values S rows columns, and a note if they had to be cleaned to 0 and 255.

    Values that are labels as they stand are returned unchanged. Raises LabelError if a lossy mask is not
    clearly black and white, or if most but not all intermediate values lie on borders.
    """
    if values.dtype != np.uint8:
        return values, ()
    between = np.flatnonzero(np.bincount(values.ravel(), minlength=256)[1:_WHITE]) + 1
    if not between.size:
        return values, ()
    if is_lossy:
        if not _is_black_and_white(values):
            raise LabelError(
                f"it is a JPEG, whose compression changes label values, and is not clearly black and white; "
                f"{_REMEDY}"
            )
        return _black_and_white(values, between, "by JPEG compression")
    return _lossless(values, between)


def _lossless(values: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if between.size <= _FEW or not ((values == 0).any() and (values == _WHITE).any()):
        return values, ()
    is_between = (values > 0) & (values < _WHITE)
    on_border = _near(values == 0, _BORDER_REACH) & _near(values == _WHITE, _BORDER_REACH)
    share = np.count_nonzero(is_between & on_border) / np.count_nonzero(is_between)
    if share == 1:
        return _black_and_white(values, between, "on smoothed borders")
    if between.size > _MANY and _has_jpeg_values(between) and _is_black_and_white(values):
        return _black_and_white(values, between, "as smoothed borders or JPEG compression leave them")
    if between.size > _MANY and share > 0.5:
        raise LabelError(
            f"it has {between.size} values between 0 and 255, most of them on borders, as if smoothed; "
            f"{_REMEDY}"
        )
    return values, ()


def _has_jpeg_values(between: np.ndarray) -> bool:
    """Whether values are near black and near white; labels in sequence are near black only."""
    return bool(between[0] < _DARK and between[-1] >= _BRIGHT)


def _is_black_and_white(values: np.ndarray) -> bool:
    dark, bright = values < _DARK, values >= _BRIGHT
    stray = ~(dark | bright) & ~(_near(dark, _JPEG_REACH) & _near(bright, _JPEG_REACH))
    count = int(np.count_nonzero(bright))
    return count > 0 and int(np.count_nonzero(stray)) <= _STRAY_SHARE * count


def _near(mask: np.ndarray, reach: int) -> np.ndarray:
    """Whether the mask is set within `reach` pixels, slice by slice."""
    from scipy.ndimage import maximum_filter  # when a mask is read, so that commands start faster

    near: np.ndarray = maximum_filter(mask, size=(1, 2 * reach + 1, 2 * reach + 1), mode="constant")
    return near


def _black_and_white(
    values: np.ndarray, between: np.ndarray, cause: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    changed = int(np.count_nonzero((values > 0) & (values < _WHITE)))
    note = (
        f"{changed} pixels have values between 0 and 255 {cause} ({between.size} different ones); "
        "they count as 0 or 255, whichever is nearer"
    )
    return np.where(values > 127, np.uint8(_WHITE), np.uint8(0)), (note,)
