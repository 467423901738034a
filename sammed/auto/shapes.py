"""Shapes: what the annotated slices of a volume say of the slices between them.

An object changes little from slice to slice. Between two annotated slices its signed distance to the border
is interpolated (shape-based interpolation: Raya and Udupa 1990), and the log-odds that this gives are added
to the generator's. The doubt grows with the distance to the annotated slices, so that thin slices gain much
and slices 10 mm apart hardly notice. The paper has nothing of the kind: its SAP-Net sees one slice at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from sammed.auto.annotations import Annotations
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.backbones.frame import Frame
from sammed_volumes.labels import Label

# How far a border is off, in mm a mm from the nearest annotated slice: half of it nearby, more the further
# away. Tried on hearts, an atrium, a spleen, lungs and abdominal organs; without the growth hearts in slices
# of 10 mm got worse.
DOUBT = 0.5
DOUBT_GROWTH_PER_MM = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """One label in the annotated slices of a stack.

    `distances_mm` are to its border, positive inside, on the mask grid; None where the slice doesn't show it.
    """

    indices: tuple[int, ...]
    distances_mm: tuple[Float[Tensor, "M M"] | None, ...]
    slice_spacing_mm: float

    def logits(self, indices: Sequence[int]) -> Float[Tensor, "N M M"]:
        """Log-odds of the label in any slices of the stack, +-6 in the annotated ones."""
        return torch.stack([self._logits(index) for index in indices])

    def _logits(self, index: int) -> Float[Tensor, "M M"]:
        before = max((row for row in self._rows if self.indices[row] <= index), default=0)
        after = min((row for row in self._rows if self.indices[row] >= index), default=self._rows[-1])
        gap = self.indices[after] - self.indices[before]
        share = (index - self.indices[before]) / gap if gap else 0.0
        distances_mm = self._between(self.distances_mm[before], self.distances_mm[after], share)
        away_mm = min(abs(index - each) for each in self.indices) * self.slice_spacing_mm
        doubt_mm = away_mm * (DOUBT + DOUBT_GROWTH_PER_MM * away_mm)
        return (distances_mm / max(doubt_mm, 1e-3)).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)

    @property
    def _rows(self) -> range:
        return range(len(self.indices))

    def _between(self, before: Tensor | None, after: Tensor | None, share: float) -> Tensor:
        """Distances a `share` of the way from one annotated slice to the next."""
        if before is not None and after is not None:
            return before * (1 - share) + after * share
        if before is not None:
            return _vanishing(before, share)
        return self._nowhere if after is None else _vanishing(after, 1 - share)

    @property
    def _nowhere(self) -> Float[Tensor, "M M"]:
        """As far outside as the object is deep: a generator that is sure is still heard."""
        known = [each for each in self.distances_mm if each is not None]
        return torch.full_like(known[0], -max(float(each.max()) for each in known))


def drawn_shapes(annotations: Annotations, label: Label, frame: Frame, slice_spacing_mm: float) -> Shapes:
    """A label as a person drew it in some slices."""
    distances = tuple(
        _signed_distances_mm(mask, frame) if mask.any() else None for mask in annotations.mask(label)
    )
    return Shapes(annotations.indices, distances, slice_spacing_mm)


def _vanishing(distances_mm: Float[Tensor, "M M"], share: float) -> Float[Tensor, "M M"]:
    """An object a `share` of the way to an empty slice: it shrinks, and ends half-way."""
    return distances_mm - 2 * share * distances_mm.max()


def _signed_distances_mm(mask: Bool[np.ndarray, "H W"], frame: Frame) -> Float[Tensor, "M M"]:
    """Distance to the mask's border, positive inside: between two pixels' centres it passes 0."""
    inside = _distances_mm(mask, frame) - _distances_mm(~mask, frame)
    return frame.masks_to_mask_grid(torch.from_numpy(inside.astype(np.float32))[None])[0]


def _distances_mm(mask: NDArray[np.bool_], frame: Frame) -> NDArray[np.float64]:
    """Distance of the mask's pixels to the nearest pixel outside; a mask without an outside is deep."""
    padded = np.pad(mask, 1) if mask.all() else mask
    distances: NDArray[np.float64] = ndimage.distance_transform_edt(padded, sampling=frame.pixel_spacing_mm)
    return distances[1:-1, 1:-1] if mask.all() else distances
