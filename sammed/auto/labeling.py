"""Label a whole volume: read this first.

    embeddings -> coarse masks (a generator), guided by the shapes of this volume's annotated slices
    -> the top-K components in 3-D -> prompts -> decoder -> one mask for each label, smoothed along the slices
    -> mixed with what flow and random walker say, where this volume has annotated slices
    -> the label with the highest logit wins

A slice with an empty coarse mask stays empty (SAM^Med 3.2.2, 4.3).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, UInt
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.auto.components import largest_components
from sammed.auto.decoding import CHUNK as DECODED_TOGETHER
from sammed.auto.decoding import decode_coarse
from sammed.auto.fusion import LARGEST_LOGIT, mix, smooth
from sammed.auto.label_choice import LabelChoice
from sammed.auto.mixture import mixed
from sammed.auto.neighbors import Neighbors
from sammed.auto.prompting import coarse_on_mask_grid
from sammed.embeddings.scan import Scan
from sammed_volumes.labels import Label, smallest_unsigned

Guide: TypeAlias = Callable[[Sequence[int]], Float[Tensor, "N M M"]]
"""Returns log-odds of one label for slices of the stack, which are added to the generator's."""

Mixing: TypeAlias = Callable[[Sequence[int], Float[Tensor, "k N H W"]], Float[Tensor, "k N H W"]]
"""Takes slices of the stack and their logits, and returns the logits that count."""

CHUNK = 8  # slices, or rows of all slices, at a time: their logits take much memory


@runtime_checkable
class Coarse(Protocol):
    """A generator of coarse masks: SAP-Net or a classifier of embedding cells."""

    def coarse(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S k h w"]:
        """Return log-odds of each label on the embedding grid."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LabeledStack:
    """Labels of a stack, and how well generator and decoder agree on each label (Dice 0..1, None unknown)."""

    stack: UInt[np.ndarray, "S H W"]
    agreement: Mapping[int, float | None]


def label_stack(
    scan: Scan,
    generator: Coarse,
    encoders: Mapping[int, nn.Module],
    choices: Mapping[int, LabelChoice],
    labels: Sequence[Label],
    progress: Callable[[int], None] | None = None,
    annotations: Annotations | None = None,
) -> LabeledStack:
    """Label every slice of a scan. `encoders` and `choices` are by label value.

    `annotations` are annotated slices of this very scan: their shapes guide the slices nearby. `progress` is
    called once for each label.
    """
    coarse = coarse_masks(scan, generator)
    neighbors = Neighbors(scan, annotations) if annotations else None
    logits, agreement = [], {}
    for column, label in enumerate(labels):
        guide = partial(neighbors.guide, column) if neighbors else None
        found, agreement[label.value] = label_logits(
            scan, coarse[:, column], encoders[label.value], choices[label.value], guide
        )
        logits.append(found)
        if progress is not None:
            progress(1)
    if neighbors is None:
        return LabeledStack(highest_wins(scan, logits, labels), agreement)
    mixtures = [choices[label.value].mixture for label in labels]
    return LabeledStack(highest_wins(scan, logits, labels, partial(mixed, neighbors, mixtures)), agreement)


def coarse_masks(scan: Scan, generator: Coarse) -> Float[Tensor, "S k h w"]:
    """Return coarse log-odds of all slices, on the CPU."""
    chunks = _chunks(range(scan.slicing.count), CHUNK)
    return torch.cat([generator.coarse(scan.embeddings(chunk)).cpu() for chunk in chunks])


def label_logits(
    scan: Scan,
    coarse: Float[Tensor, "S h w"],
    encoder: nn.Module,
    choice: LabelChoice,
    guide: Guide | None = None,
) -> tuple[Float[Tensor, "S M M"], float | None]:
    """Return one label's logits on the mask grid, and the Dice of coarse mask and decoder (None: both empty).

    All slices on the mask grid take much memory, so there is only one array of floats for all of them.
    """
    grids = CoarseGrids(scan, coarse, choice, guide)
    shown = torch.from_numpy(grids.mask.any((1, 2)))
    logits = torch.empty(grids.mask.shape)
    for chunk in _chunks(range(len(coarse)), CHUNK):
        grid = grids.of(chunk)
        logits[chunk] = mix(grid, torch.full_like(grid, -LARGEST_LOGIT), choice.mask_from)
    decoded_size = common_size = 0
    for chunk in _chunks(shown.nonzero()[:, 0].tolist(), DECODED_TOGETHER):
        grid = grids.of(chunk)
        decoded = decode_coarse(scan, encoder, chunk, grid, choice.rule)
        logits[chunk] = mix(grid, decoded, choice.mask_from)
        decoded_size += int((decoded > 0).sum())
        common_size += int(((decoded > 0) & (grid > 0)).sum())
    width = choice.smoothing_mm / scan.slicing.slice_spacing_mm
    total = int(grids.mask.sum()) + decoded_size
    return _smoothed(logits, shown, width), 2 * common_size / total if total else None


def _smoothed(
    logits: Float[Tensor, "S M M"], shown: Bool[Tensor, " S"], width_slices: float
) -> Float16[Tensor, "S M M"]:
    """Smooth along the slices, a few rows at a time to save memory; slices not `shown` stay empty."""
    halves = torch.full(logits.shape, -LARGEST_LOGIT, dtype=torch.float16)
    for start in range(0, logits.shape[1], CHUNK):
        rows = slice(start, start + CHUNK)
        halves[shown, rows] = smooth(logits[:, rows], width_slices)[shown].half()
    return halves


class CoarseGrids:
    """Coarse logits on the mask grid, computed slice by slice, with the largest components only."""

    def __init__(
        self,
        scan: Scan,
        coarse: Float[Tensor, "S h w"],
        choice: LabelChoice,
        guide: Guide | None = None,
    ) -> None:
        self._coarse = coarse
        self._guide = guide
        self._frame = scan.frame
        positive = np.concatenate(
            [self._grid(chunk).numpy() > 0 for chunk in _chunks(range(len(coarse)), CHUNK)]
        )
        self.mask = largest_components(positive, choice.components)

    def of(self, indices: Sequence[int]) -> Float[Tensor, "N M M"]:
        """Return logits of these slices; other components than the largest are set to -6."""
        grid = self._grid(indices)
        removed = (grid > 0) & ~torch.from_numpy(self.mask[list(indices)])
        return grid.masked_fill(removed, -LARGEST_LOGIT)

    def _grid(self, indices: Sequence[int]) -> Float[Tensor, "N M M"]:
        grid = coarse_on_mask_grid(self._coarse[list(indices)], self._frame)
        if self._guide is None:
            return grid
        return grid.clamp(-LARGEST_LOGIT, LARGEST_LOGIT) + self._guide(indices)


def highest_wins(
    scan: Scan,
    logits: Sequence[Float[Tensor, "S M M"]],
    labels: Sequence[Label],
    mixing: Mixing | None = None,
) -> UInt[np.ndarray, "S H W"]:
    """Return the label with the highest logit in each pixel; background where none is above 0."""
    slicing = scan.slicing
    values = np.array([0, *(label.value for label in labels)])
    stack = np.zeros(slicing.stack_shape, dtype=smallest_unsigned(int(values.max())))
    for start in range(0, slicing.count, CHUNK):
        chunk = [each[start : start + CHUNK].float() for each in logits]
        sizes = torch.stack([scan.frame.logits_to_slice(each) for each in chunk])  # k N H W
        if mixing is not None:
            sizes = mixing(range(start, start + sizes.shape[1]), sizes)
        highest, winner = sizes.max(0)
        stack[start : start + CHUNK] = values[torch.where(highest > 0, winner + 1, 0).numpy()]
    return stack


def _chunks(indices: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(indices), size):
        yield list(indices[start : start + size])
