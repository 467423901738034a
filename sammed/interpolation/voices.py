"""Voices: what the carried shapes and the random walker say of the slices between annotated ones.

Their log-odds are mixed label by label. How much each counts is found by leaving annotated slices out in
turn; where that says little, the carried shapes count most, as they do on average over data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32

from sammed.interpolation.carried_shapes import LARGEST_LOGIT, CarriedShapes, MarkedLabel
from sammed.interpolation.optical_flow import NeighborFlow
from sammed.interpolation.random_walker import walk

Voice = Literal["flow", "random-walker"]
VOICES: tuple[Voice, ...] = ("flow", "random-walker")

PRIOR: dict[Voice, float] = {"flow": 2.0, "random-walker": 1.0}
SHARPNESS = 8.0
"""How much a higher Dice on the slices left out counts: e^8 for a Dice that is higher by 1."""
WIDER_BORDER = 2.0
"""How much wider than the shapes' own uncertainty the border is in which the walker decides."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """Log-odds within +-6 of each voice for each label, in some slices."""

    logits: dict[Voice, Float32[np.ndarray, "k n H W"]]

    def mixed(self, weights: Sequence[dict[Voice, float]]) -> Float32[np.ndarray, "k n H W"]:
        """The weighted mean of the voices, with a label's own weights."""
        mixed = np.zeros_like(next(iter(self.logits.values())))
        for voice, logits in self.logits.items():
            shares = np.array([each.get(voice, 0.0) for each in weights], dtype=np.float32)
            mixed += shares[:, None, None, None] * logits
        return mixed


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices S H W with values 0..1, the flow between them, and their spacing."""

    images: Float32[np.ndarray, "S H W"]
    flow: NeighborFlow
    pixel_spacing_mm: tuple[float, float]
    slice_spacing_mm: float

    def speak(self, labels: Sequence[MarkedLabel], first: int, last: int, voices: Sequence[Voice]) -> Spoken:
        """What the voices say of the slices `first`..`last`, between which none is annotated."""
        flow = self._shapes(labels, first, last, 1.0)
        spoken: dict[Voice, Float32[np.ndarray, "k n H W"]] = {"flow": flow}
        if "random-walker" in voices:
            spoken["random-walker"] = self._walked(labels, first, last)
        return Spoken({voice: spoken[voice] for voice in voices})

    def _shapes(
        self, labels: Sequence[MarkedLabel], first: int, last: int, wider: float
    ) -> Float32[np.ndarray, "k n H W"]:
        spacing = self.pixel_spacing_mm, self.slice_spacing_mm
        carried = [CarriedShapes(label, self.flow, *spacing, border=wider) for label in labels]
        return np.stack([each.logits(first, last) for each in carried])

    def _walked(self, labels: Sequence[MarkedLabel], first: int, last: int) -> Float32[np.ndarray, "k n H W"]:
        """The walker between the annotated slices on either side, which are seeds as a whole."""
        shapes = [self._shapes(labels, first, last, WIDER_BORDER)]
        start, end = first, last
        if first - 1 in labels[0].indices:
            shapes.insert(0, _annotated(labels, first - 1))
            start -= 1
        if last + 1 in labels[0].indices:
            shapes.append(_annotated(labels, last + 1))
            end += 1
        spacing = (self.slice_spacing_mm, *self.pixel_spacing_mm)
        walked = walk(self.images[start : end + 1], np.concatenate(shapes, axis=1), spacing)
        return walked[:, first - start : first - start + last - first + 1]


def gaps(indices: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """First and last slice of each run of slices of a stack that are not annotated."""
    edges = [-1, *indices, count]
    for before, after in pairwise(edges):
        if after - before > 1:
            yield before + 1, after - 1


def weigh(
    stack: Stack, labels: Sequence[MarkedLabel], voices: Sequence[Voice]
) -> tuple[list[dict[Voice, float]], list[float | None]]:
    """Each label's weights, and the Dice of the mixture on the slices left out (None: none could be)."""
    counts = [_Counts(voices) for _ in labels]
    for row in range(len(labels[0].indices)):
        tested = [place for place, label in enumerate(labels) if _can_leave_out(label, row)]
        if not tested:
            continue
        left = [labels[place].without(row) for place in tested]
        index = labels[0].indices[row]
        first, last = next(
            gap for gap in gaps(left[0].indices, stack.flow.count) if gap[0] <= index <= gap[1]
        )
        spoken = stack.speak(left, first, last, voices)
        for column, place in enumerate(tested):
            said = {voice: logits[column, index - first] for voice, logits in spoken.logits.items()}
            counts[place].add(said, labels[place].masks[row])
    return [each.weights() for each in counts], [each.mixed_dice() for each in counts]


def _gap_around(index: int, indices: Sequence[int], count: int) -> tuple[int, int]:
    """The gap that a slice lies in."""
    return next(gap for gap in gaps(indices, count) if gap[0] <= index <= gap[1])


def _can_leave_out(label: MarkedLabel, row: int) -> bool:
    """Whether slices on both sides still show the label: what lies beyond all of them can't be predicted."""
    return row in label.showing[1:-1]


class _Counts:
    """What voices said of the slices that were left out, and the truth there."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._voices = voices
        self._said: list[dict[Voice, Float32[np.ndarray, "H W"]]] = []
        self._truth: list[Bool[np.ndarray, "H W"]] = []

    def add(self, said: dict[Voice, Float32[np.ndarray, "H W"]], truth: Bool[np.ndarray, "H W"]) -> None:
        self._said.append(said)
        self._truth.append(truth)

    def weights(self) -> dict[Voice, float]:
        if not self._said:
            return {self._voices[0]: 1.0}
        scores = {voice: self._dice({voice: 1.0}) or 0.0 for voice in self._voices}
        odds = {voice: PRIOR[voice] * np.exp(SHARPNESS * score) for voice, score in scores.items()}
        total = sum(odds.values())
        return {voice: float(each / total) for voice, each in odds.items()}

    def mixed_dice(self) -> float | None:
        return self._dice(self.weights())

    def _dice(self, weights: dict[Voice, float]) -> float | None:
        if not self._said:
            return None
        common = total = 0
        for said, truth in zip(self._said, self._truth, strict=True):
            mixed = sum(weights.get(voice, 0.0) * logits for voice, logits in said.items())
            found = np.asarray(mixed) > 0
            common += int((found & truth).sum())
            total += int(found.sum()) + int(truth.sum())
        return 2 * common / total if total else None


def _annotated(labels: Sequence[MarkedLabel], index: int) -> Float32[np.ndarray, "k 1 H W"]:
    row = labels[0].indices.index(index)
    masks = np.stack([label.masks[row] for label in labels])[:, None]
    return np.where(masks, LARGEST_LOGIT, -LARGEST_LOGIT).astype(np.float32)
