"""Neighbors: what the annotated slices of a volume say about its other slices, without learning.

Flow and random walker (`sammed.interpolation`) are asked gap by gap, once for each. The paper has nothing
like them: its SAP-Net sees one slice at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from sammed.annotations.annotations import Annotations
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.embeddings.scan import Scan
from sammed.interpolation.interpolation import gray_images
from sammed.interpolation.stack import annotated_stack
from sammed.interpolation.voices import Spoken, Voice, gap_around


class Neighbors:
    """Log-odds of the annotated labels within +-6 in each slice of a scan: +-6 in the annotated ones."""

    def __init__(self, scan: Scan, annotations: Annotations) -> None:
        slicing = scan.slicing
        self.frame = scan.frame
        self.annotations = annotations
        self.around = annotated_stack(
            gray_images(scan), annotations, slicing.pixel_spacing_mm, slicing.slice_spacing_mm
        )
        self._spoken: dict[tuple[Voice, int, int], Spoken] = {}

    def logits(self, voice: Voice, column: int, indices: Sequence[int]) -> Float[Tensor, "N H W"]:
        """Return what a voice says of one label in slices of the stack."""
        return self.in_slice(np.stack([self._said(voice, column, index) for index in indices]))

    def guide(self, column: int, indices: Sequence[int]) -> Float[Tensor, "N M M"]:
        """Return the flow's log-odds of one label on the mask grid."""
        return self.frame.masks_to_mask_grid(self.logits("flow", column, indices))

    def in_slice(self, cropped: Float32[np.ndarray, "N h w"]) -> Float[Tensor, "N H W"]:
        """Return log-odds of the cropped slices as those of whole slices: -6 beyond the labels' reach."""
        whole = torch.full((len(cropped), self.frame.height, self.frame.width), -LARGEST_LOGIT)
        whole[:, self.around.rows, self.around.columns] = torch.from_numpy(cropped)
        return whole

    def _said(self, voice: Voice, column: int, index: int) -> Float32[np.ndarray, "h w"]:
        label = self.around.labels[column]
        if index in label.indices:
            shown = label.masks[label.indices.index(index)]
            sure: np.ndarray = np.where(shown, LARGEST_LOGIT, -LARGEST_LOGIT).astype(np.float32)
            return sure
        first, last = gap_around(index, label.indices, self.around.stack.flow.count)
        key = (voice, first, last)
        if key not in self._spoken:
            spoken = self.around.stack.speak(self.around.labels, first, last, [voice])
            self._spoken[key] = spoken.in_half_precision()
        said: np.ndarray = self._spoken[key].logits[voice][column, index - first].astype(np.float32)
        return said
