"""Color labels: each color of a mask as a label."""

import numpy as np

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import Label

_MOST_COLORS = 64
_LUMA = (299, 587, 114)  # ITU-R BT.601, in thousandths


def labels_of_colors(pixels: np.ndarray) -> tuple[np.ndarray, tuple[Label, ...]]:
    """Return label values and labels of 8-bit pixels S rows columns 4 (red, green, blue, alpha).

    Transparent and black pixels are background. The other colors are numbered from 1 by brightness, then by
    hex code, so that their order does not depend on where they are; each label is named by its hex code.
    Raises LabelError for partly transparent pixels and for more than 64 colors.
    """
    alpha = pixels[..., 3]
    partly = int(np.count_nonzero((alpha > 0) & (alpha < 255)))
    if partly:
        raise LabelError(f"{partly} of its pixels are partly transparent; save the mask without smoothing")
    codes = (pixels[..., :3].astype(np.uint32) << (16, 8, 0)).sum(axis=-1, dtype=np.uint32)
    codes[alpha == 0] = 0
    colors = [code for code in np.unique(codes).tolist() if code]
    if len(colors) > _MOST_COLORS:
        raise LabelError(
            f"it has {len(colors)} colors, but a mask has at most {_MOST_COLORS}; save it as PNG without "
            "smoothing"
        )
    colors.sort(key=lambda code: (_brightness(code), code))
    values = np.zeros(codes.shape, dtype=np.uint8)
    for value, code in enumerate(colors, start=1):
        values[codes == code] = value
    labels = [Label(value, f"#{code:06x}", _rgb(code)) for value, code in enumerate(colors, start=1)]
    return values, tuple(labels)


def _rgb(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def _brightness(code: int) -> int:
    return sum(weight * part for weight, part in zip(_LUMA, _rgb(code), strict=True))
