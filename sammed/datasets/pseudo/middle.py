"""The middle of a region, as a point prompt."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from sammed.prompts.points import deepest


def middle(region: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, " 2"]:
    """Return the pixel (x, y) in the middle of a region that is not empty.

    This is the pixel at the center of mass or, if that is outside the region, as in a ring, the pixel deepest
    inside.
    """
    y, x = (round(each) for each in ndimage.center_of_mass(region))
    return np.array([x, y], dtype=np.float64) if region[y, x] else deepest(region)
