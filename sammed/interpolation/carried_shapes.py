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
"""How much faster the uncertainty grows where no annotated slice that shows the label lies on the other side."""

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
        self._indices = label.indices
        self._flow = flow
        self._slice_spacing_mm = slice_spacing_mm
        self._uncertainty_per_mm = UNCERTAINTY_PER_MM * border
        self._distances_mm = [
            signed_distance_mm(mask, pixel_spacing_mm) if mask.any() else None for mask in label.masks
        ]
        known = [each for each in self._distances_mm if each is not None]
        self._deepest_mm = max(float(each.max()) for each in known)
        self._gap = _mean_gap(
            [label.indices[row] for row in label.showing], self._deepest_mm / slice_spacing_mm
        )

    def logits(self, first: int, last: int) -> Float32[np.ndarray, "n H W"]:
        """Log-odds within +-6 of the slices `first`..`last`, which hold no annotated slice between them."""
        count = last - first + 1
        before = max((row for row, index in enumerate(self._indices) if index < first), default=None)
        after = min((row for row, index in enumerate(self._indices) if index > last), default=None)
        earlier = list(self._carried(before, range(first, last + 1)))
        later = list(self._carried(after, range(last, first - 1, -1)))[::-1]
        return np.stack(
            [
                self._slice(first + place, before, after, earlier[place], later[place])
                for place in range(count)
            ]
        )

    def _carried(
        self, row: int | None, indices: Sequence[int]
    ) -> Iterator[Float32[np.ndarray, "H W"] | None]:
        """The distances of one annotated slice seen from these slices, which lead away from it."""
        distance_mm = None if row is None else self._distances_mm[row]
        if row is None or distance_mm is None:
            yield from (None for _ in indices)
            return
        came_from = self._indices[row]
        displacement = np.zeros((self._flow.height, self._flow.width, 2), dtype=np.float32)
        for index in indices:
            toward = index - 1 if index > came_from else index + 1
            displacement = compose(self._flow.step(index, toward), displacement)
            yield warp(distance_mm, displacement)

    def _slice(
        self,
        index: int,
        before: int | None,
        after: int | None,
        earlier: Float32[np.ndarray, "H W"] | None,
        later: Float32[np.ndarray, "H W"] | None,
    ) -> Float32[np.ndarray, "H W"]:
        away_mm = min(abs(index - each) for each in self._indices) * self._slice_spacing_mm
        uncertainty_mm = away_mm * self._uncertainty_per_mm
        if earlier is not None and later is not None and before is not None and after is not None:
            share = (index - self._indices[before]) / (self._indices[after] - self._indices[before])
            distance_mm = earlier * np.float32(1 - share) + later * np.float32(share)
        else:
            distance_mm = self._ending(index, before, after, earlier, later)
            uncertainty_mm *= BEYOND_FACTOR
        return np.clip(distance_mm / np.float32(max(uncertainty_mm, 1e-3)), -LARGEST_LOGIT, LARGEST_LOGIT)

    def _ending(
        self,
        index: int,
        before: int | None,
        after: int | None,
        earlier: Float32[np.ndarray, "H W"] | None,
        later: Float32[np.ndarray, "H W"] | None,
    ) -> Float32[np.ndarray, "H W"]:
        """Distances where one side at most shows the label: it ends before an empty slice is reached."""
        if earlier is None and later is None:
            shape = self._flow.height, self._flow.width
            return np.full(shape, -self._deepest_mm, dtype=np.float32)
        row, other, distance_mm = (before, after, earlier) if earlier is not None else (after, before, later)
        assert row is not None and distance_mm is not None  # one of the two is there
        end = END_GAPS * self._gap
        if other is not None:
            end = min(end, abs(self._indices[other] - self._indices[row]) - 0.5)
        own_mm = self._distances_mm[row]
        assert own_mm is not None  # it was carried
        shrinkage = _ellipsoid(abs(index - self._indices[row]) / end)
        return distance_mm - np.float32(shrinkage * float(own_mm.max()))


def _ellipsoid(share: float) -> float:
    """How much of its depth a shape has lost at a share of the way to its end; more than all beyond it."""
    return 1 - (1 - share * share) ** 0.5 if share < 1 else share


def _mean_gap(showing: Sequence[int], deepest: float) -> float:
    """Slices between annotated ones that show the label; of a single one, the label's own width."""
    return float(np.mean(np.diff(showing))) if len(showing) > 1 else max(1.0, 2 * deepest)
