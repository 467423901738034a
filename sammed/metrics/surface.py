"""Distances between the surfaces of two masks, by MONAI; some slices may be excluded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

PERCENTILE = 95


def hd95_mm(
    prediction: Bool[np.ndarray, "*n"],
    reference: Bool[np.ndarray, "*n"],
    spacing_mm: Sequence[float],
    kept: Bool[np.ndarray, "*n"],
) -> float:
    """Return the 95th percentile of the distances between the surfaces, the larger of both directions.

    The surface is the voxels with a neighbor outside the mask. Distances are measured from the surface in
    `kept` to all of the other surface. Both masks hold voxels in `kept`.
    """
    from monai.metrics.utils import get_mask_edges

    edges = get_mask_edges(prediction, reference, crop=False)
    inside = [np.asarray(each, dtype=bool) for each in edges]
    distances = _distances(inside, kept, spacing_mm)
    return max(float(np.percentile(each, PERCENTILE)) for each in distances)


def nsd(
    prediction: Bool[np.ndarray, "*n"],
    reference: Bool[np.ndarray, "*n"],
    spacing_mm: Sequence[float],
    kept: Bool[np.ndarray, "*n"],
    tolerance_mm: float,
) -> float:
    """Return the share of both surfaces, by area, within the tolerance of the other (0..1).

    A surface element lies between eight voxels (in the plane, four); it counts if one of them is kept.
    """
    import torch
    from monai.metrics.utils import get_mask_edges

    padded = [torch.from_numpy(np.pad(mask, 1)) for mask in (prediction, reference)]
    *edges, area_ours, area_truth = get_mask_edges(*padded, crop=False, spacing=tuple(spacing_mm))
    counts = _any_corner(np.pad(kept, 1))
    inside = [np.asarray(each).astype(bool) for each in edges]
    within = area = 0.0
    distances = _distances(inside, counts, spacing_mm)
    for surface, areas, found in zip(inside, (area_ours, area_truth), distances, strict=True):
        sizes = np.asarray(areas)[surface & counts]
        within += float(sizes[found <= tolerance_mm].sum())
        area += float(sizes.sum())
    return within / area


def _distances(
    surfaces: Sequence[Bool[np.ndarray, "*n"]],
    counted: Bool[np.ndarray, "*n"],
    spacing_mm: Sequence[float],
) -> list[Float[np.ndarray, " k"]]:
    """Return the distances from the counted elements of each surface to the nearest of the other."""
    from monai.metrics.utils import get_surface_distance

    return [
        np.asarray(get_surface_distance(ours & counted, other, spacing=tuple(spacing_mm)))
        for ours, other in zip(surfaces, reversed(surfaces), strict=True)
    ]


def _any_corner(mask: Bool[np.ndarray, "*n"]) -> Bool[np.ndarray, "*m"]:
    """Return whether any voxel around each corner is set; an axis of n voxels has n - 1 corners."""
    for axis in range(mask.ndim):
        before, after = (np.moveaxis(mask, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        mask = np.moveaxis(before | after, 0, axis)
    return mask
