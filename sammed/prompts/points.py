"""Points: three ways to sample them in a region of a slice (SAM^Med 3.3, figure 5)."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from sammed.errors import ConfigError, PromptError

Scheme = Literal["uniform", "center", "boundary"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

# The paper says "primarily at the central location ... by applying a distance transform" and "mainly near
# the boundary", no numbers. These give the picture of its figure 5 on a liver.
CENTRAL_DEPTH = 0.6  # of the greatest depth: what lies deeper is central
BOUNDARY_SHARE = 0.1  # of the object's size: what lies less deep is near the boundary


def sample_points(
    region: Bool[np.ndarray, "H W"], count: int, scheme: Scheme, rng: np.random.Generator
) -> Float[np.ndarray, "count 2"]:
    """Points (x, y), each the center of a pixel of the region; PromptError where the region is empty."""
    return draw_points(candidates(region, scheme), count, rng)


def draw_points(
    candidates_xy: Float[np.ndarray, "M 2"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "count 2"]:
    """`count` of the candidates, no one twice unless there are fewer; PromptError where there is none."""
    if count == 0:
        return np.zeros((0, 2))
    if len(candidates_xy) == 0:
        raise PromptError("No point can be drawn in an empty region.")
    chosen = rng.choice(len(candidates_xy), size=count, replace=len(candidates_xy) < count)
    return candidates_xy[chosen]


def candidates(region: Bool[np.ndarray, "H W"], scheme: Scheme) -> Float[np.ndarray, "M 2"]:
    """The pixels (x, y) of a region that a scheme draws from, all with the same probability.

    uniform: all of them. center: those of at least CENTRAL_DEPTH times the greatest distance to the
    region's boundary. boundary: those no further from it than BOUNDARY_SHARE of the object's size, the side
    of a square of its area; in the background that is the same band outside the object. The slice's own
    edge is no boundary.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"There is no sampling scheme {scheme!r}; there are {', '.join(SCHEMES)}.")
    chosen = region
    if scheme != "uniform" and region.any() and not region.all():
        depth = ndimage.distance_transform_edt(region)  # H W, pixels; 1 at the boundary
        chosen = depth >= CENTRAL_DEPTH * depth.max() if scheme == "center" else _shallow(region, depth)
    y, x = np.nonzero(chosen)
    return np.stack([x, y], axis=1).astype(np.float64)


def _shallow(region: Bool[np.ndarray, "H W"], depth: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    area = min(int(region.sum()), int((~region).sum()))  # the object's, also where the region is around it
    shallow: np.ndarray = region & (depth <= max(1.0, BOUNDARY_SHARE * np.sqrt(area)))
    return shallow
