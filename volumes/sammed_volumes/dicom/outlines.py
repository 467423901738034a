"""Outlines: the contours of a mask, midway between the centers of its pixels and of those around them."""

import numpy as np


def outlines_of(mask: np.ndarray) -> list[np.ndarray]:
    """The closed contours N 2 of a mask X Y, in pixels, 0 being the center of the first; a hole has its own.

    A contour runs through the midpoints between neighbors in and outside of the mask, so it holds the centers
    of exactly the mask's pixels. The inverse is `sammed_volumes.dicom.polygons.fill_polygons`.

    >>> outlines_of(np.array([[True]]))[0].tolist()
    [[0.5, 0.0], [0.0, -0.5], [-0.5, 0.0], [0.0, 0.5]]
    """
    from skimage.measure import find_contours

    if not mask.any():
        return []
    start = [int(np.flatnonzero(mask.any(axis=other))[0]) for other in (1, 0)]
    end = [int(np.flatnonzero(mask.any(axis=other))[-1]) + 1 for other in (1, 0)]
    shown = np.pad(mask[start[0] : end[0], start[1] : end[1]], 1)
    # The last point repeats the first.
    return [contour[:-1] + start - 1.0 for contour in find_contours(shown.astype(np.uint8), 0.5)]
