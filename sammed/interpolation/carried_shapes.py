"""Carried shapes: an annotated outline that follows the anatomy from slice to slice.

The signed distance to the border is warped along the optical flow into the slices between two annotated ones
and blended there (shape-based interpolation, Raya and Udupa 1990, with motion compensation). Toward an empty
slice, and beyond the outermost annotated one, the shape shrinks like the end of an ellipsoid. The border's
uncertainty grows with the distance from the nearest annotated slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from sammed.interpolation.optical_flow import NeighborFlow, compose, warp
from sammed.interpolation.signed_distance import signed_distance_mm

LARGEST_LOGIT = 6.0

UNCERTAINTY_PER_MM = 0.125
"""How far off a border may be, in mm per mm from the nearest annotated slice (measured on 7 data sets)."""

BEYOND_FACTOR = 2.0
"""How much faster the uncertainty grows where only one side shows the label."""

_LEAST_UNCERTAINTY_MM = 1e-3

END_GAPS = 0.8
"""Where a label ends beyond its outermost annotated slice, in mean gaps between slices that show it."""


@dataclass(frozen=True, slots=True, eq=False)
class MarkedLabel:
    """One label in the annotated slices of a stack: `indices` ascend, `masks` say where it is."""

    indices: tuple[int, ...]
    masks: Bool[np.ndarray, "A H W"]

    @property
    def showing(self) -> tuple[int, ...]:
        """Rows of the annotated slices that show the label."""
        return tuple(np.flatnonzero(self.masks.any(axis=(1, 2))).tolist())

    def without(self, row: int) -> MarkedLabel:
        """The label as if one slice had not been annotated."""
        rows = [each for each in range(len(self.indices)) if each != row]
        return MarkedLabel(tuple(self.indices[each] for each in rows), self.masks[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """An annotated slice next to a gap, and its distances to the label's border, if it shows the label."""

    index: int
    distance_mm: Float32[np.ndarray, "H W"] | None


class CarriedShapes:
    """One label carried along the flow; `border` widens the uncertain border by a factor."""

    def __init__(
        self,
        label: MarkedLabel,
        flow: NeighborFlow,
        pixel_spacing_mm: Sequence[float],
        slice_spacing_mm: float,
        border: float = 1.0,
    ) -> None:
        self._flow = flow
        self._uncertainty_mm = UNCERTAINTY_PER_MM * border * slice_spacing_mm  # a slice further
        self._sides = [
            _Side(index, signed_distance_mm(mask, pixel_spacing_mm) if mask.any() else None)
            for index, mask in zip(label.indices, label.masks, strict=True)
        ]
        shown = [side.distance_mm for side in self._sides if side.distance_mm is not None]
        self._deepest_mm = max(float(each.max()) for each in shown)
        showing = [label.indices[row] for row in label.showing]
        self._end = END_GAPS * _mean_gap(showing, self._deepest_mm / slice_spacing_mm)

    def logits(self, first: int, last: int) -> Float32[np.ndarray, "n H W"]:
        """Log-odds within +-6 of the slices `first`..`last`, none of which is annotated."""
        indices = range(first, last + 1)
        before = next((side for side in reversed(self._sides) if side.index < first), None)
        after = next((side for side in self._sides if side.index > last), None)
        earlier = list(self._carried(before, indices))
        later = list(self._carried(after, indices[::-1]))[::-1]
        logits = []
        for index, one, other in zip(indices, earlier, later, strict=True):
            if before and after and one is not None and other is not None:
                share = np.float32((index - before.index) / (after.index - before.index))
                away = min(index - before.index, after.index - index)
                logits.append(self._certain(one * (1 - share) + other * share, away))
            elif before and one is not None:
                logits.append(self._ending(one, before, after, index))
            elif after and other is not None:
                logits.append(self._ending(other, after, before, index))
            else:
                logits.append(np.full((self._flow.height, self._flow.width), -LARGEST_LOGIT, np.float32))
        return np.stack(logits)

    def _carried(
        self, side: _Side | None, indices: Sequence[int]
    ) -> Iterator[Float32[np.ndarray, "H W"] | None]:
        """The distances of one side seen from these slices, which lead away from it."""
        if side is None or side.distance_mm is None:
            yield from (None for _ in indices)
            return
        displacement = np.zeros((self._flow.height, self._flow.width, 2), dtype=np.float32)
        for index in indices:
            toward = index - 1 if index > side.index else index + 1
            displacement = compose(self._flow.step(index, toward), displacement)
            yield warp(side.distance_mm, displacement)

    def _ending(
        self, carried_mm: Float32[np.ndarray, "H W"], side: _Side, other: _Side | None, index: int
    ) -> Float32[np.ndarray, "H W"]:
        """Log-odds where only one side shows the label: it ends before an empty slice is reached."""
        assert side.distance_mm is not None  # it was carried
        end = self._end if other is None else min(self._end, abs(other.index - side.index) - 0.5)
        away = abs(index - side.index)
        lost_mm = np.float32(_ellipsoid(away / end) * float(side.distance_mm.max()))
        return self._certain(carried_mm - lost_mm, BEYOND_FACTOR * away)

    def _certain(self, distance_mm: Float32[np.ndarray, "H W"], away: float) -> Float32[np.ndarray, "H W"]:
        """Log-odds of a distance to the border, so many slices from where the border is known."""
        uncertainty_mm = np.float32(max(away * self._uncertainty_mm, _LEAST_UNCERTAINTY_MM))
        return np.clip(distance_mm / uncertainty_mm, -LARGEST_LOGIT, LARGEST_LOGIT)


def _ellipsoid(share: float) -> float:
    """How much of its depth a shape has lost at a share of the way to its end; more than all beyond it."""
    return 1 - (1 - share * share) ** 0.5 if share < 1 else share


def _mean_gap(showing: Sequence[int], deepest: float) -> float:
    """Slices between annotated ones that show the label; of a single one, the label's own width."""
    return float(np.mean(np.diff(showing))) if len(showing) > 1 else max(1.0, 2 * deepest)
