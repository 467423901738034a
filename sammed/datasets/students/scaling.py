"""Pictures as a student's squares, and its maps on the picture's own pixels.

The whole picture fills the square: each axis is scaled separately, as in the papers.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt
from torch import Tensor
from torch.nn import functional as F

_GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns color into gray


def to_square(image: Float[np.ndarray, "H W C"], size_px: int, channels: int) -> Float[np.ndarray, "c s s"]:
    """Return a picture 0..1 as a square with that many channels, linearly interpolated."""
    pixels = torch.from_numpy(np.ascontiguousarray(_with_channels(image, channels).transpose(2, 0, 1)))
    square: np.ndarray = _scaled(pixels, (size_px, size_px)).numpy()
    return square


def from_square(maps: Float[np.ndarray, "K s s"], shape: tuple[int, ...]) -> Float[np.ndarray, "K H W"]:
    """Return maps of a square on the picture's own pixels H W, linearly interpolated."""
    own: np.ndarray = _scaled(torch.from_numpy(np.ascontiguousarray(maps)), (shape[0], shape[1])).numpy()
    return own


def classes_to_square(classes: UInt[np.ndarray, "H W"], size_px: int) -> UInt[np.ndarray, "s s"]:
    """Return class numbers as a square; each pixel takes the nearest one."""
    square: np.ndarray = classes[np.ix_(*(nearest(length, size_px) for length in classes.shape))]
    return square


def nearest(length: int, size_px: int) -> Int64[np.ndarray, " size"]:
    """Return, for each of `size_px` pixels that replace `length` ones, the pixel with the nearest center."""
    return np.floor((np.arange(size_px) + 0.5) * length / size_px).astype(np.int64)


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return (image @ np.array(_GRAY, dtype=np.float32))[:, :, np.newaxis]


def _scaled(pixels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize; shrinking averages over each new pixel, so that thin structures do not vanish."""
    return F.interpolate(pixels[None], shape, mode="bilinear", align_corners=False, antialias=True)[0]
