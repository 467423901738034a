"""Shapes: what the annotated slices of a volume say about the slices between them.

An object changes little from slice to slice. Between two annotated slices its signed distance to the border
is interpolated (shape-based interpolation: Raya and Udupa 1990), and the resulting log-odds are added to the
generator's. The uncertainty of the border grows with the distance to the annotated slices. How fast is fitted
to the label where enough slices show it: an aorta goes straight on, an atrium doesn't. The paper has nothing
like it: its SAP-Net sees one slice at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from sammed.annotations.annotations import Annotations
from sammed.assist.losses import biased_dice_loss
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.backbones.frame import Frame
from sammed_volumes.labels import Label

BORDER_UNCERTAINTIES = (0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""What is tried when it is fitted: mm by which a border may be off, per mm to the annotated slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """One label in the annotated slices of a stack.

    `distances_mm` are distances to its border on the mask grid, positive inside; None for a slice that
    doesn't show the label.
    """

    indices: tuple[int, ...]
    distances_mm: tuple[Float[Tensor, "M M"] | None, ...]
    slice_spacing_mm: float

    def logits(self, indices: Sequence[int], border_uncertainty: float) -> Float[Tensor, "N M M"]:
        """Return log-odds of the label in any slices of the stack, +-6 in the annotated ones.

        `border_uncertainty` is in mm per mm to the nearest annotated slice. It holds between two slices that
        show the label; elsewhere it is doubled, because it is unknown where the object ends.
        """
        return torch.stack([self._logits(index, border_uncertainty) for index in indices])

    def without(self, row: int) -> "Shapes":
        """Return the same label without one of the annotated slices."""
        rows = [each for each in range(len(self.indices)) if each != row]
        return replace(
            self,
            indices=tuple(self.indices[each] for each in rows),
            distances_mm=tuple(self.distances_mm[each] for each in rows),
        )

    def _logits(self, index: int, border_uncertainty: float) -> Float[Tensor, "M M"]:
        before, after = self._neighbors(index)
        distances_mm = self._between(before, after, index)
        away_mm = min(abs(index - each) for each in self.indices) * self.slice_spacing_mm
        enclosed = before != after and self._shows(before) and self._shows(after)
        uncertainty_mm = away_mm * border_uncertainty * (1 if enclosed else 2)
        return (distances_mm / max(uncertainty_mm, 1e-3)).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)

    def _neighbors(self, index: int) -> tuple[int, int]:
        """Return the annotated rows on either side; the same row twice at one of them and beyond the ends."""
        rows = range(len(self.indices))
        before = max((row for row in rows if self.indices[row] <= index), default=0)
        return before, min((row for row in rows if self.indices[row] >= index), default=before)

    def _shows(self, row: int) -> bool:
        return self.distances_mm[row] is not None

    def _between(self, before: int, after: int, index: int) -> Float[Tensor, "M M"]:
        """Return distances to the border in a slice between two annotated ones."""
        earlier, later = self.distances_mm[before], self.distances_mm[after]
        gap = self.indices[after] - self.indices[before]
        share = (index - self.indices[before]) / gap if gap else 0.0
        if earlier is not None and later is not None:
            return earlier * (1 - share) + later * share
        if earlier is not None:
            return _vanishing(earlier, share)
        return self._nowhere if later is None else _vanishing(later, 1 - share)

    @property
    def _nowhere(self) -> Float[Tensor, "M M"]:
        """As far outside as the object is deep, so that a generator that is sure still prevails."""
        known = [each for each in self.distances_mm if each is not None]
        return torch.full_like(known[0], -max(float(each.max()) for each in known))


def annotated_shapes(annotations: Annotations, label: Label, frame: Frame, slice_spacing_mm: float) -> Shapes:
    """Return the shapes of a label in its annotated slices."""
    distances = tuple(
        _signed_distances_mm(mask, frame) if mask.any() else None for mask in annotations.mask(label)
    )
    return Shapes(annotations.indices, distances, slice_spacing_mm)


def fit_border_uncertainty(shapes: Shapes, coarse: Float[Tensor, "A M M"], rows: Sequence[int]) -> float:
    """Return the border uncertainty that predicts annotated slices best from all others and a generator.

    `coarse` are the generator's logits, within +-6, of the annotated slices `rows`; it must never have seen
    them. The best of the BORDER_UNCERTAINTIES has the highest soft Dice over these slices together.
    """
    truth = torch.cat([shapes.logits([shapes.indices[row]], 0.0) > 0 for row in rows]).float()

    def loss(uncertainty: float) -> float:
        parts = [shapes.without(row).logits([shapes.indices[row]], uncertainty) for row in rows]
        return float(
            biased_dice_loss(torch.sigmoid(coarse + torch.cat(parts))[:, None], truth[:, None], beta=1.0)
        )

    return min(BORDER_UNCERTAINTIES, key=loss)


def _vanishing(distances_mm: Float[Tensor, "M M"], share: float) -> Float[Tensor, "M M"]:
    """Shrink an object a `share` of the way to an empty slice. It ends half-way."""
    return distances_mm - 2 * share * distances_mm.max()


def _signed_distances_mm(mask: Bool[np.ndarray, "H W"], frame: Frame) -> Float[Tensor, "M M"]:
    """Return the distance to the mask's border, positive inside. It crosses 0 between two pixels' centers."""
    inside = _distances_mm(mask, frame) - _distances_mm(~mask, frame)
    return frame.masks_to_mask_grid(torch.from_numpy(inside.astype(np.float32))[None])[0]


def _distances_mm(mask: NDArray[np.bool_], frame: Frame) -> NDArray[np.float64]:
    """Return the distance to the nearest pixel outside; of a full slice, to the pixels around it."""
    padded = np.pad(mask, 1) if mask.all() else mask
    distances: NDArray[np.float64] = ndimage.distance_transform_edt(padded, sampling=frame.pixel_spacing_mm)
    return distances[1:-1, 1:-1] if mask.all() else distances
