"""The middle of a region: where a person would click to say "this"."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage


def middle(region: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, " 2"]:
    """The pixel (x, y) in the middle of a region that isn't empty.

    That is the pixel at the center of mass, or, where that lies outside, as in a ring, the one deepest
    inside.
    """
    y, x = (round(each) for each in ndimage.center_of_mass(region))
    if not region[y, x]:
        depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
    return np.array([x, y], dtype=np.float64)
