"""The random walker (Grady 2006): which label a walk from a pixel reaches first, along the image's edges.

Annotated slices are seeds, and so is what the carried shapes are sure of; a walk starts only in the uncertain
border between. Slices between two annotated ones are independent of all others.
"""

from __future__ import annotations

import math
import warnings

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32
from skimage.segmentation import random_walker

from sammed.interpolation.carried_shapes import LARGEST_LOGIT

EDGE_WEIGHT = 150.0
"""Skimage's beta: how much a difference of intensities hinders a step."""
SURE = LARGEST_LOGIT - 0.1
"""Log-odds of carried shapes from which on a pixel is a seed."""
LEAST_CONTRAST = 1e-3
"""Slices without edges give the walker no direction; the carried shapes decide alone there."""
MOST_VOXELS = 1_000_000
"""Of a gap: the graph of so many voxels takes about a gigabyte. Larger gaps are walked on smaller slices."""
_TOLERANCE = 1e-3
_LEAST_PROBABILITY = float(1 / (1 + np.exp(LARGEST_LOGIT)))


def walk(
    images: Float32[np.ndarray, "n H W"],
    shapes: Float32[np.ndarray, "k n H W"],
    spacing: tuple[float, float, float],
) -> Float32[np.ndarray, "k n H W"]:
    """Log-odds within +-6 of each label against all else, from slices and the labels' carried shapes.

    `shapes` are log-odds within +-6; where one of them is sure, the pixel is a seed. `spacing` is that of the
    three axes in any unit.
    """
    factor = reduction(images.shape)
    if factor > 1:
        return _walk_reduced(images, shapes, spacing, factor)
    seeds = _seeds(shapes)
    present = np.unique(seeds[seeds > 0])
    if len(present) < 2 or not (seeds == 0).any() or np.ptp(images) < LEAST_CONTRAST:
        return shapes
    probabilities = np.zeros((len(shapes), *seeds.shape), dtype=np.float32)
    for value, found in zip(present, _probabilities(images, seeds, spacing), strict=True):
        if value > 1:
            probabilities[value - 2] = found
    bounded = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    odds: np.ndarray = np.log(bounded / (1 - bounded))
    return odds


def reduction(shape: tuple[int, ...]) -> int:
    """How many times smaller rows and columns are made, so that the walk stays within `MOST_VOXELS`."""
    return max(1, math.ceil(math.sqrt(math.prod(shape) / MOST_VOXELS)))


def _walk_reduced(
    images: Float32[np.ndarray, "n H W"],
    shapes: Float32[np.ndarray, "k n H W"],
    spacing: tuple[float, float, float],
    factor: int,
) -> Float32[np.ndarray, "k n H W"]:
    """Walk on smaller slices, and enlarge what was found."""
    height, width = images.shape[1:]
    small = (max(1, height // factor), max(1, width // factor))
    coarser = (spacing[0], spacing[1] * height / small[0], spacing[2] * width / small[1])
    few = np.stack([_resized(each, small) for each in shapes])
    odds = walk(_resized(images, small), few, coarser)
    return np.stack([_resized(each, (height, width)) for each in odds])


def _resized(slices: Float32[np.ndarray, "n H W"], size: tuple[int, int]) -> Float32[np.ndarray, "n h w"]:
    smaller = size[0] < slices.shape[1] or size[1] < slices.shape[2]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([cv2.resize(each, size[::-1], interpolation=method) for each in slices])


def _seeds(shapes: Float32[np.ndarray, "k n H W"]) -> Int32[np.ndarray, "n H W"]:
    """0 where nothing is sure, 1 for the background, 2 and up for the labels."""
    highest, winner = shapes.max(axis=0), shapes.argmax(axis=0)
    seeds = np.where(highest >= SURE, winner + 2, 0)
    background: Bool[np.ndarray, "n H W"] = highest <= -SURE
    return np.where(background, 1, seeds).astype(np.int32)


def _probabilities(
    images: Float32[np.ndarray, "n H W"],
    seeds: Int32[np.ndarray, "n H W"],
    spacing: tuple[float, float, float],
) -> Float32[np.ndarray, "c n H W"]:
    least = min(spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on solvers that are not installed
        found: np.ndarray = random_walker(
            images,
            seeds,
            beta=EDGE_WEIGHT,
            mode="cg_j",
            tol=_TOLERANCE,
            spacing=[each / least for each in spacing],
            return_full_prob=True,
        )
    return found.astype(np.float32)
