"""Labelling a whole volume: read this first.

    embeddings -> coarse masks (a generator) -> the top-K components in 3-D -> prompts -> decoder -> one mask
    a label, smoothed along the slices -> the label with the higher logit wins

A slice in which the coarse mask has nothing stays empty (SAM^Med 3.2.2, 4.3).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor, nn

from sammed.auto.components import largest_components
from sammed.auto.decoding import decode_coarse
from sammed.auto.fusion import LARGEST_LOGIT, LabelChoice, mix, smooth
from sammed.auto.prompting import coarse_on_mask_grid
from sammed.embeddings.scan import EncodedScan
from sammed_volumes.labels import Label, smallest_unsigned

CHUNK = 8  # slices on their own pixels at a time: the only full-size floats there are


@runtime_checkable
class Coarse(Protocol):
    """A generator of coarse masks: SAP-Net or a classifier of embedding cells."""

    def coarse(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S k h w"]:
        """Log-odds of each label on the embedding grid."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LabelledStack:
    """Labels of a stack S H W, and how well a generator and the decoder agree on each label (Dice, 0..1)."""

    stack: UInt[np.ndarray, "S H W"]
    agreement: Mapping[int, float | None]


def label_stack(
    encoded: EncodedScan,
    generator: Coarse,
    encoders: Mapping[int, nn.Module],
    choices: Mapping[int, LabelChoice],
    labels: Sequence[Label],
    progress: Callable[[int], None] | None = None,
) -> LabelledStack:
    """Label every slice of a scan. `encoders` and `choices` are by label value."""
    coarse = coarse_masks(encoded, generator)
    logits, agreement = [], {}
    for column, label in enumerate(labels):
        found, agreement[label.value] = label_logits(
            encoded, coarse[:, column], encoders[label.value], choices[label.value]
        )
        logits.append(found)
        if progress is not None:
            progress(1)
    return LabelledStack(highest_wins(encoded, logits, labels), agreement)


def coarse_masks(encoded: EncodedScan, generator: Coarse) -> Float[Tensor, "S k h w"]:
    """Coarse log-odds of all slices, on the CPU."""
    count = encoded.scan.slicing.count
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    return torch.cat([generator.coarse(encoded.embeddings(chunk)).cpu() for chunk in chunks])


def label_logits(
    encoded: EncodedScan, coarse: Float[Tensor, "S h w"], encoder: nn.Module, choice: LabelChoice
) -> tuple[Float[Tensor, "S 4*h 4*w"], float | None]:
    """One label's logits on the mask grid; how coarse mask and decoder agree (Dice, None: both empty)."""
    grid = coarse_on_mask_grid(coarse, encoded.frame)
    grid = keep_components(grid, choice.components)
    shown = (grid > 0).flatten(1).any(1)
    decoded = torch.full_like(grid, -LARGEST_LOGIT)
    indices = shown.nonzero()[:, 0].tolist()
    if indices:
        decoded[shown] = decode_coarse(encoded, encoder, indices, grid[shown], choice.rule)
    width = choice.smoothing_mm / encoded.scan.slicing.slice_spacing_mm
    logits = smooth(mix(grid, decoded, choice.source), width)
    logits[~shown] = -LARGEST_LOGIT
    return logits.half(), _agreement(grid > 0, decoded > 0)


def keep_components(logits: Float[Tensor, "S M M"], count: int) -> Float[Tensor, "S M M"]:
    """The same logits with all but the `count` largest components of what is above 0 pressed far below."""
    mask = (logits > 0).numpy()
    removed = torch.from_numpy(mask & ~largest_components(mask, count))
    return logits.masked_fill(removed, -LARGEST_LOGIT)


def highest_wins(
    encoded: EncodedScan, logits: Sequence[Float[Tensor, "S M M"]], labels: Sequence[Label]
) -> UInt[np.ndarray, "S H W"]:
    """The label with the highest logit in each pixel; background where none is above 0."""
    slicing = encoded.scan.slicing
    values = np.array([0, *(label.value for label in labels)])
    stack = np.zeros(slicing.stack_shape, dtype=smallest_unsigned(int(values.max())))
    for start in range(0, slicing.count, CHUNK):
        chunk = [each[start : start + CHUNK].float() for each in logits]
        sizes = torch.stack([encoded.frame.logits_to_slice(each) for each in chunk])  # k S H W
        highest, winner = sizes.max(0)
        stack[start : start + CHUNK] = values[torch.where(highest > 0, winner + 1, 0).numpy()]
    return stack


def _agreement(first: Tensor, second: Tensor) -> float | None:
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else None
