"""Points: three ways to sample them in a region of a slice (SAM^Med 3.3, figure 5)."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from sammed.errors import ConfigError, PromptError

Scheme = Literal["uniform", "center", "boundary"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

# The paper gives no numbers, only "primarily at the central location ... by applying a distance transform"
# and "mainly near the boundary". These look like its figure 5 on a liver.
CENTRAL_DEPTH = 0.6  # of the greatest depth: deeper pixels are central
BOUNDARY_SHARE = 0.1  # of the object's size: less deep pixels are near the boundary


def sample_points(
    region: Bool[np.ndarray, "H W"], count: int, scheme: Scheme, rng: np.random.Generator
) -> Float[np.ndarray, "count 2"]:
    """Sample points (x, y), centers of the region's pixels. Raises PromptError where the region is empty."""
    return sample_candidates(candidates(region, scheme), count, rng)


def sample_candidates(
    candidates_xy: Float[np.ndarray, "M 2"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "count 2"]:
    """Sample `count` candidates, none twice unless there are too few. Raises PromptError for none."""
    if count == 0:
        return np.zeros((0, 2))
    if len(candidates_xy) == 0:
        raise PromptError("No point can be sampled in an empty region.")
    chosen = rng.choice(len(candidates_xy), size=count, replace=len(candidates_xy) < count)
    return candidates_xy[chosen]


def candidates(region: Bool[np.ndarray, "H W"], scheme: Scheme) -> Float[np.ndarray, "M 2"]:
    """Return the pixels (x, y) of a region that a scheme samples from, all with the same probability.

    uniform: all of them. center: those at a depth of at least CENTRAL_DEPTH times the greatest distance to
    the region's boundary. boundary: those no deeper than BOUNDARY_SHARE of the object's size, the side of a
    square of its area; for the background that is an equal band outside the object. The slice's own edge is
    not a boundary. Raises ConfigError for an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"There is no sampling scheme {scheme!r}; there are {', '.join(SCHEMES)}.")
    chosen = region
    if scheme != "uniform" and region.any() and not region.all():
        depth = ndimage.distance_transform_edt(region)  # H W, pixels; 1 at the boundary
        chosen = depth >= CENTRAL_DEPTH * depth.max() if scheme == "center" else _shallow(region, depth)
    y, x = np.nonzero(chosen)
    return np.stack([x, y], axis=1).astype(np.float64)


def deepest(region: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, " 2"]:
    """Return the pixel (x, y) furthest from the region's boundary; the slice's edge counts as boundary."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return np.array([x, y], dtype=np.float64)


def _shallow(region: Bool[np.ndarray, "H W"], depth: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    area = min(int(region.sum()), int((~region).sum()))  # the object's, also where the region surrounds it
    shallow: np.ndarray = region & (depth <= max(1.0, BOUNDARY_SHARE * np.sqrt(area)))
    return shallow
