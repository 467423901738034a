"""Prompts from class activation maps: a map becomes a pseudo mask, and that becomes prompts (paper, 3.2).

Slice frame throughout. All points are foreground points, as in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from sammed.datasets.pseudo.cam.config import CamConfig, CamPrompt
from sammed.datasets.pseudo.middle import middle
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances
from sammed.prompts.prompt import Prompt, prompt_of_points


def pseudo_mask(map_: Float[np.ndarray, "H W"], threshold: float) -> Bool[np.ndarray, "H W"]:
    """Return where a map 0..1 is above the threshold; empty where the map is zero everywhere."""
    return map_ > threshold


def map_prompts(map_: Float[np.ndarray, "H W"], config: CamConfig) -> Iterator[Prompt]:
    """Yield a prompt for each of the largest regions of the map's pseudo mask; none where it is empty."""
    for region in instances(pseudo_mask(map_, config.threshold))[: config.most_regions]:
        point = middle(region) if config.point == "center" else _brightest(map_, region)
        yield prompt_of(region, point, config.prompts)


def truth_prompts(mask: Bool[np.ndarray, "H W"], config: CamConfig) -> Iterator[Prompt]:
    """Yield the same prompts from a true mask, with its center as the point (paper, 3.4); for evaluation."""
    for region in instances(mask)[: config.most_regions]:
        yield prompt_of(region, middle(region), config.prompts)


def prompt_of(
    region: Bool[np.ndarray, "H W"], point_xy: Float[np.ndarray, " 2"], prompts: CamPrompt
) -> Prompt:
    """Return a box around a region, a point in it, or both."""
    box = None if prompts == "point" else box_around(region)
    if prompts == "box":
        return Prompt(box_xyxy_slice=box)
    return prompt_of_points(point_xy[None], np.zeros((0, 2)), box)


def _brightest(map_: Float[np.ndarray, "H W"], region: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, " 2"]:
    y, x = np.unravel_index(np.where(region, map_, -1).argmax(), map_.shape)
    return np.array([x, y], dtype=np.float64)
