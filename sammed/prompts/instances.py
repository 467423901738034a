"""Instances: the parts of a label on one slice that are prompted one by one."""

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

_EIGHT_NEIGHBORS = np.ones((3, 3), dtype=bool)


def instances(mask: Bool[np.ndarray, "H W"], least_pixels: int = 1) -> list[Bool[np.ndarray, "H W"]]:
    """Return the components of a mask, the largest first; pixels that touch at a corner are connected.

    Components of fewer than `least_pixels` are left out, unless all are that small: then the largest
    stays. An empty mask has none.
    """
    numbered, count = ndimage.label(mask, structure=_EIGHT_NEIGHBORS)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    kept = [index for place, index in enumerate(order) if place == 0 or sizes[index] >= least_pixels]
    return [numbered == index + 1 for index in kept]
