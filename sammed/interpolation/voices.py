"""Voices: what the carried shapes and the random walker say of the slices between annotated ones.

Their log-odds are mixed label by label. How much each counts is found by leaving annotated slices out in
turn; where that says little, the carried shapes count most, as they do on average over data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Literal, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32

from sammed.interpolation.carried_shapes import LARGEST_LOGIT, CarriedShapes, MarkedLabel
from sammed.interpolation.optical_flow import NeighborFlow
from sammed.interpolation.random_walker import walk

Voice = Literal["flow", "random-walker"]
V = TypeVar("V", bound=str)
VOICES: tuple[Voice, ...] = ("flow", "random-walker")

PRIOR: dict[Voice, float] = {"flow": 2.0, "random-walker": 1.0}
SHARPNESS = 8.0
"""How much a higher Dice on the slices left out counts: e^8 for a Dice that is higher by 1."""
WIDER_BORDER = 2.0
"""How much wider than the shapes' own uncertainty the border is in which the walker decides."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """Log-odds within +-6 of each voice for each label, in some slices."""

    logits: dict[Voice, Float[np.ndarray, "k n H W"]]

    def in_half_precision(self) -> Spoken:
        """The same in float16, to be kept."""
        return Spoken({voice: logits.astype(np.float16) for voice, logits in self.logits.items()})

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


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """An annotated slice that was left out, and what the voices said of it.

    `row` counts among the annotated slices and `index` in the stack. `columns` are the labels that slices on
    both sides still show: what lies beyond all slices that show a label can't be predicted.
    """

    row: int
    index: int
    columns: tuple[int, ...]
    logits: dict[Voice, Float32[np.ndarray, "c H W"]]


def leave_out(stack: Stack, labels: Sequence[MarkedLabel], voices: Sequence[Voice]) -> Iterator[LeftOut]:
    """Leave annotated slices out in turn, each that lies between two others with the same label."""
    for row, index in enumerate(labels[0].indices):
        columns = tuple(place for place, label in enumerate(labels) if row in label.showing[1:-1])
        if columns:
            left = [labels[place].without(row) for place in columns]
            first, last = gap_around(index, left[0].indices, stack.flow.count)
            spoken = stack.speak(left, first, last, voices)
            said = {voice: logits[:, index - first] for voice, logits in spoken.logits.items()}
            yield LeftOut(row, index, columns, said)


def weigh(
    stack: Stack, labels: Sequence[MarkedLabel], voices: Sequence[Voice]
) -> tuple[list[dict[Voice, float]], list[float | None]]:
    """Each label's weights, and the Dice of the mixture on the slices left out (None: none could be)."""
    ballots = [Ballot({voice: PRIOR[voice] for voice in voices}) for _ in labels]
    for left in leave_out(stack, labels, voices):
        for place, column in enumerate(left.columns):
            said = {voice: logits[place] for voice, logits in left.logits.items()}
            ballots[column].add(said, labels[column].masks[left.row])
    weights = [each.weights() or {voices[0]: 1.0} for each in ballots]
    return weights, [each.dice(mixture) for each, mixture in zip(ballots, weights, strict=True)]


def gap_around(index: int, indices: Sequence[int], count: int) -> tuple[int, int]:
    """First and last slice of the run that a slice lies in and that is not annotated."""
    return next(gap for gap in gaps(indices, count) if gap[0] <= index <= gap[1])


class Ballot(Generic[V]):
    """What voices said of slices that were left out, and the truth there; `prior` is each voice's weight."""

    def __init__(self, prior: Mapping[V, float]) -> None:
        self._prior = prior
        self._said: list[Mapping[V, Float32[np.ndarray, "H W"]]] = []
        self._truth: list[Bool[np.ndarray, "H W"]] = []

    def add(self, said: Mapping[V, Float32[np.ndarray, "H W"]], truth: Bool[np.ndarray, "H W"]) -> None:
        """Count one slice: each voice's log-odds, and where the label really is."""
        self._said.append(said)
        self._truth.append(truth)

    def weights(self) -> dict[V, float] | None:
        """Each voice's weight, 1 in all; None if no slice was left out."""
        if not self._said:
            return None
        scores = {voice: self.dice({voice: 1.0}) or 0.0 for voice in self._prior}
        odds = {voice: self._prior[voice] * np.exp(SHARPNESS * score) for voice, score in scores.items()}
        total = sum(odds.values())
        return {voice: float(each / total) for voice, each in odds.items()}

    def dice(self, weights: Mapping[V, float]) -> float | None:
        """The Dice of the voices' mixture over all slices together; None if no slice was left out."""
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
