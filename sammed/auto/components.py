"""Components: which connected pieces of a coarse mask are the object (SAM^Med 4.3, "top-K components")."""

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

_TOUCHING = np.ones((3, 3, 3), dtype=bool)  # voxels that share a corner are connected


def largest_components(mask: Bool[np.ndarray, "S H W"], count: int) -> Bool[np.ndarray, "S H W"]:
    """Return the `count` largest connected pieces of a mask, connected in 3-D."""
    labeled, found = ndimage.label(mask, _TOUCHING)
    if found <= count:
        return mask
    sizes = np.zeros(found + 1, dtype=np.int64)
    for plane in labeled:  # slice by slice, because each step takes several times its input's memory
        sizes += np.bincount(plane.ravel(), minlength=found + 1)
    sizes[0] = 0  # the background is not a component
    kept = np.argsort(sizes, kind="stable")[-count:]
    largest = np.empty_like(mask)
    for plane, out in zip(labeled, largest, strict=True):
        out[:] = np.isin(plane, kept)
    return largest
