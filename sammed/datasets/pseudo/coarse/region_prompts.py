"""From the probabilities of a coarse label to prompts for its main regions.

Auto-Generate-WLs, section 3, "Input Selection": take the largest contiguous regions and drop small ones. A
box is a region's extent; points are its middle, and background points where the probability is low. Slice
frame throughout.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from sammed.auto.prompting import spread
from sammed.datasets.pseudo.coarse.config import CoarsePrompt, RegionConfig
from sammed.datasets.pseudo.middle import middle
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances
from sammed.prompts.prompt import Prompt, prompt_of_points


def main_regions(mask: Bool[np.ndarray, "H W"], config: RegionConfig) -> list[Bool[np.ndarray, "H W"]]:
    """Return the largest contiguous regions of a mask, the largest first; none where all are small.

    A region of fewer than `least_pixels`, or of less than `least_share` of the largest one, is noise.
    """
    found = instances(mask)[: config.most_regions]
    if not found:
        return []
    least = max(config.least_pixels, config.least_share * float(found[0].sum()))
    return [region for region in found if region.sum() >= least]


def region_prompts(
    probability: Float[np.ndarray, "H W"], prompts: CoarsePrompt, config: RegionConfig
) -> Iterator[Prompt]:
    """Yield a prompt for each main region of a probability map 0..1; none for an empty coarse label."""
    mask = probability > config.threshold
    for region in main_regions(mask, config):
        if prompts == "box":
            yield Prompt(box_xyxy_slice=box_around(region))
        else:
            yield _points(region, probability, config)


def _points(
    region: Bool[np.ndarray, "H W"], probability: Float[np.ndarray, "H W"], config: RegionConfig
) -> Prompt:
    unlikely = np.where(probability <= config.low_probability, 1 - probability, 0)
    return prompt_of_points(middle(region)[None], spread(unlikely, config.negatives))
