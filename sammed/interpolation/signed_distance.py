"""Signed distances: how far a pixel lies from a mask's border, in millimeters, positive inside."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage


def signed_distance_mm(
    mask: Bool[np.ndarray, "H W"], pixel_spacing_mm: Sequence[float]
) -> Float32[np.ndarray, "H W"]:
    """The distance to the border, which runs between the centers of two pixels.

    `pixel_spacing_mm` is (row, column). A mask without an outside is as deep as if it ended at the edges.
    """
    inside = _distance_mm(mask, pixel_spacing_mm)
    outside = _distance_mm(~mask, pixel_spacing_mm)
    signed: np.ndarray = (inside - outside).astype(np.float32)
    return signed


def _distance_mm(mask: Bool[np.ndarray, "H W"], pixel_spacing_mm: Sequence[float]) -> np.ndarray:
    """Distance of the mask's pixels to the nearest pixel outside it; 0 elsewhere."""
    padded = np.pad(mask, 1) if mask.all() else mask
    distance: np.ndarray = ndimage.distance_transform_edt(padded, sampling=pixel_spacing_mm)
    return distance[1:-1, 1:-1] if mask.all() else distance
