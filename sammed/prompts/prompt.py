"""The prompt: what a user or a generator gives for one object on one slice. Slice frame throughout.

A coordinate (x, y) is a pixel's center, as in `sammed.backbones.frame`; the pixels of a slice H W reach
from -0.5 to W - 0.5 and to H - 0.5.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from sammed.errors import PromptError


class PointSign(IntEnum):
    """The sign of a point; the numbers are those of SAM's prompt encoder."""

    PAD = -1
    BACKGROUND = 0
    FOREGROUND = 1


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Points, a box, a coarse mask, or several of them, for one instance on one slice.

    `signs` are FOREGROUND or BACKGROUND for each point. `box_xyxy_slice` holds the centers of the first and
    the last pixel. `coarse_logits` are on the mask grid, above 0 inside. Raises PromptError for an empty
    prompt, a point without a sign, a number that is not finite, and a box that is inside out.
    """

    points_xy_slice: Float[np.ndarray, "P 2"] = field(default_factory=lambda: np.zeros((0, 2)))
    signs: Int64[np.ndarray, " P"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    box_xyxy_slice: Float[np.ndarray, " 4"] | None = None
    coarse_logits: Float[Tensor, "M M"] | None = None

    def __post_init__(self) -> None:
        if self.count == 0 and self.box_xyxy_slice is None and self.coarse_logits is None:
            raise PromptError("A prompt needs a point, a box or a coarse mask; this one has none.")
        _check_points(self.points_xy_slice, self.signs)
        if self.box_xyxy_slice is not None:
            _check_box(self.box_xyxy_slice)

    @property
    def count(self) -> int:
        """P, the number of points."""
        return len(self.points_xy_slice)

    @property
    def kind(self) -> str:
        """What the prompt is made of: "points", "box", "points+box", "box+coarse" and so on."""
        present = {
            "points": self.count > 0,
            "box": self.box_xyxy_slice is not None,
            "coarse": self.coarse_logits is not None,
        }
        return "+".join(part for part, there in present.items() if there)

    def check_inside(self, height: int, width: int) -> None:
        """Raise PromptError, which names the point or the box, for one outside a slice of that shape."""
        for number, point in enumerate(self.points_xy_slice, start=1):
            if not _inside(point, height, width):
                raise PromptError(
                    f"Point {number} at {numbers_text(point)} is outside the slice {_size(height, width)}."
                )
        box = self.box_xyxy_slice
        if box is not None and not (_inside(box[:2], height, width) and _inside(box[2:], height, width)):
            raise PromptError(
                f"The box {numbers_text(box)} reaches outside the slice {_size(height, width)}."
            )


def prompt_of_points(
    inside_xy: Float[np.ndarray, "I 2"],
    outside_xy: Float[np.ndarray, "O 2"],
    box_xyxy: Float[np.ndarray, " 4"] | None = None,
) -> Prompt:
    """Return a prompt of points inside the object and outside of it, and a box if there is one."""
    signs = np.repeat([PointSign.FOREGROUND, PointSign.BACKGROUND], [len(inside_xy), len(outside_xy)])
    return Prompt(np.concatenate([inside_xy, outside_xy]), signs.astype(np.int64), box_xyxy)


def numbers_text(numbers: Iterable[float]) -> str:
    """Return coordinates as they are written in a sentence.

    >>> numbers_text((1.0, 2.5, 3.0))
    '(1, 2.5, 3)'
    """
    return "(" + ", ".join(f"{number:g}" for number in numbers) + ")"


def _check_points(points_xy: np.ndarray, signs: np.ndarray) -> None:
    if points_xy.ndim != 2 or points_xy.shape[1] != 2:
        raise PromptError(f"Points are pairs (x, y), not an array of shape {points_xy.shape}.")
    if signs.shape != (len(points_xy),):
        raise PromptError(f"{len(points_xy)} points need as many signs, not {signs.size}.")
    if not np.isin(signs, (PointSign.BACKGROUND, PointSign.FOREGROUND)).all():
        raise PromptError(f"A point's sign is 1 (inside) or 0 (outside), not {signs.tolist()}.")
    if not np.isfinite(points_xy).all():
        raise PromptError("A point's coordinates must be finite numbers.")


def _check_box(box_xyxy: np.ndarray) -> None:
    if box_xyxy.shape != (4,) or not np.isfinite(box_xyxy).all():
        raise PromptError(f"A box is four finite numbers x0, y0, x1, y1, not {box_xyxy.tolist()}.")
    if box_xyxy[2] < box_xyxy[0] or box_xyxy[3] < box_xyxy[1]:
        raise PromptError(
            f"The box {numbers_text(box_xyxy)} is inside out: its last corner lies before its first."
        )


def _inside(point_xy: np.ndarray, height: int, width: int) -> bool:
    x, y = point_xy
    return bool(-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5)


def _size(height: int, width: int) -> str:
    return f"of {width} x {height} pixels (x, y)"
