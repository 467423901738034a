"""Components: which connected pieces of a coarse mask are the object (SAM^Med 4.3, "top-K components")."""

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

_TOUCHING = np.ones((3, 3, 3), dtype=bool)  # voxels that share a corner are connected


def largest_components(mask: Bool[np.ndarray, "S H W"], count: int) -> Bool[np.ndarray, "S H W"]:
    """The `count` largest connected pieces of a mask, counted in 3-D."""
    labelled, found = ndimage.label(mask, _TOUCHING)
    if found <= count:
        return mask
    sizes = np.bincount(labelled.ravel())
    sizes[0] = 0  # the background is no component
    kept = np.argsort(sizes, kind="stable")[-count:]
    return np.isin(labelled, kept)
