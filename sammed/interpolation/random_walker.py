"""The random walker (Grady 2006): which label a walk from a pixel reaches first, along the image's edges.

Annotated slices are seeds, and so is what the carried shapes are sure of; a walk starts only in the uncertain
border between. Slices between two annotated ones are independent of all others.
"""

from __future__ import annotations

import warnings

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
