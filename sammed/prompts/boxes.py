"""Boxes around a mask, and the jitter that imitates a user (SAM^Med 3.3, figure 6). Slice frame."""

import numpy as np
from jaxtyping import Bool, Float

from sammed.errors import ConfigError, PromptError


def box_around(mask: Bool[np.ndarray, "H W"], margin: float = 0.0) -> Float[np.ndarray, " 4"]:
    """Return the box (x0, y0, x1, y1) of a mask: the centers of its first and last columns and rows.

    Every side moves outward by `margin`, a share of the box's width or height, up to the slice's edge.
    Raises PromptError where the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise PromptError("An empty mask has no box.")
    box = np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=np.float64)
    return move_sides(box, np.full(4, margin), mask.shape) if margin else box


def jitter_box(
    box_xyxy: Float[np.ndarray, " 4"],
    inner: float,
    outer: float,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> Float[np.ndarray, " 4"]:
    """Move each side of a box at random between `inner` inward and `outer` outward (d_in, d_out).

    Both are shares of the box's own width (left and right side) and height (upper and lower side). `inner` is
    below 0.5, so that no box turns inside out. The box stays in the slice of shape (H, W). Raises ConfigError
    for shares out of range.
    """
    if not (0 <= inner < 0.5 and outer >= 0):
        raise ConfigError(f"Box jitter from {inner} inward to {outer} outward; 0 <= inner < 0.5, outer >= 0.")
    return move_sides(box_xyxy, rng.uniform(-inner, outer, size=4), shape)


def move_sides(
    box_xyxy: Float[np.ndarray, " 4"], outward: Float[np.ndarray, " 4"], shape: tuple[int, ...]
) -> Float[np.ndarray, " 4"]:
    """Move a box's sides outward by shares of its width and height; cut it at the slice's edge (H, W)."""
    height, width = shape
    x0, y0, x1, y1 = box_xyxy
    sides = np.array([x1 - x0 + 1, y1 - y0 + 1, x1 - x0 + 1, y1 - y0 + 1])  # pixels are 1 wide
    moved = box_xyxy + np.array([-1, -1, 1, 1]) * outward * sides
    moved = np.concatenate([np.minimum(moved[:2], moved[2:]), np.maximum(moved[:2], moved[2:])])
    cut: np.ndarray = np.clip(moved, 0.0, np.array([width - 1, height - 1] * 2, dtype=np.float64))
    return cut
