"""Pictures as a student's squares, and its maps back on the picture's own pixels.

The whole picture fills the square: both axes are scaled alone, as the papers do.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor
from torch.nn import functional as F

_GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns color into gray


def to_square(image: Float[np.ndarray, "H W C"], size_px: int, channels: int) -> Float[np.ndarray, "c s s"]:
    """A picture 0..1 as a square with that many channels, linearly interpolated; inverse `from_square`."""
    pixels = torch.from_numpy(np.ascontiguousarray(_with_channels(image, channels).transpose(2, 0, 1)))
    square: np.ndarray = _scaled(pixels, (size_px, size_px)).numpy()
    return square


def from_square(maps: Float[np.ndarray, "K s s"], shape: tuple[int, ...]) -> Float[np.ndarray, "K H W"]:
    """Maps of a square on the picture's own pixels H W, linearly interpolated; inverse `to_square`."""
    own: np.ndarray = _scaled(torch.from_numpy(np.ascontiguousarray(maps)), (shape[0], shape[1])).numpy()
    return own


def classes_to_square(classes: UInt[np.ndarray, "H W"], size_px: int) -> UInt[np.ndarray, "s s"]:
    """Class numbers or flags as a square, each pixel that of the nearest one."""
    rows = _nearest(classes.shape[0], size_px)
    columns = _nearest(classes.shape[1], size_px)
    square: np.ndarray = classes[rows[:, None], columns]
    return square


def _nearest(length: int, size_px: int) -> np.ndarray:
    """For each pixel of the square the one whose center is nearest; twins go to the higher one."""
    return np.floor((np.arange(size_px) + 0.5) * length / size_px).astype(np.int64)


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return (image @ np.array(_GRAY, dtype=np.float32))[:, :, np.newaxis]


def _scaled(pixels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Shrinking averages over what falls into a pixel, so that thin structures don't vanish."""
    return F.interpolate(pixels[None], shape, mode="bilinear", align_corners=False, antialias=True)[0]
