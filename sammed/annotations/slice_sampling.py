"""Sample annotated slices from a labeled volume, as an annotator would choose them (SAM^Med 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64, UInt

from sammed.annotations.annotations import Annotations
from sammed.errors import AnnotationError
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.slices import Slicing

Draw = Literal["even", "paper"]

BACKGROUND_SLICES = 2
"""Empty slices that are sampled besides the annotated ones; the paper gives no number."""

TRIES = 200  # of sampling slices as in the paper until each label is in one
FULL = 0.8  # least share of marked slices between the first and the last in a complete label file


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A stack of labels, and whether each slice shows each label."""

    stack: UInt[np.ndarray, "S H W"]
    labels: tuple[Label, ...]
    shows: Bool[np.ndarray, "S k"]

    @property
    def foreground(self) -> Int64[np.ndarray, " F"]:
        """Slices that show any label."""
        return np.flatnonzero(self.shows.any(axis=1))

    @property
    def complete(self) -> Int64[np.ndarray, " F"]:
        """Slices that show all labels."""
        return np.flatnonzero(self.shows.all(axis=1))

    @property
    def is_complete(self) -> bool:
        """Whether a slice without a label is known to be empty, rather than not annotated."""
        found = self.foreground
        return found.size > 0 and found.size >= FULL * (found[-1] - found[0] + 1)

    @property
    def others(self) -> Int64[np.ndarray, " E"]:
        """Slices that show other labels only: somebody annotated them, and found none of these."""
        return np.flatnonzero(self.stack.any(axis=(1, 2)) & ~self.shows.any(axis=1))

    @property
    def empty(self) -> Int64[np.ndarray, " E"]:
        """Slices that are known to show none of the labels."""
        return np.flatnonzero(~self.shows.any(axis=1)) if self.is_complete else self.others

    def take(self, indices: list[int], empty: list[int]) -> Annotations:
        """Return these slices as annotations; `empty` ones show none of the labels."""
        chosen = sorted({*indices, *empty})
        values = [label.value for label in self.labels]
        masks = self.stack[chosen]
        return Annotations(tuple(chosen), np.where(np.isin(masks, values), masks, 0), self.labels)


def mark(stack: UInt[np.ndarray, "S H W"], labels: tuple[Label, ...]) -> Marked:
    """Find the slices that show each label. Raises AnnotationError for a label that no slice shows."""
    values = [label.value for label in labels]
    shows = np.array([np.isin(values, plane) for plane in stack])  # S k
    for column, label in enumerate(labels):
        if not shows[:, column].any():
            raise AnnotationError(f"The label {label.name!r} ({label.value}) is empty: no slice shows it.")
    return Marked(stack, labels, shows)


def annotate(
    slicing: Slicing,
    labels: LabelVolume,
    wanted: tuple[Label, ...],
    *,
    slices: int | None = None,
    slice_index: Sequence[int] = (),
    empty_slices: Sequence[int] = (),
    draw: Draw = "even",
    seed: int = 0,
) -> Annotations:
    """Return the annotated slices of a label volume: sampled, named, or all that show any label.

    Those that show only other labels than the wanted ones are annotated, too, as empty.

    `slice_index` and `empty_slices` count along the image's own array. Raises AnnotationError where the
    slices don't show what they should.
    """
    marked = mark(slicing.to_stack(labels.voxels), wanted)
    empty = [slicing.stack_index(index) for index in empty_slices]
    for index, stacked in zip(empty_slices, empty, strict=True):
        if marked.shows[stacked].any():
            raise AnnotationError(f"{labels.path}: slice {index} was said to be empty but shows a label.")
    if slices is not None:
        sampled = sample_slices(marked, slices, BACKGROUND_SLICES, draw, np.random.default_rng(seed))
        return marked.take(list(sampled.indices), empty)
    if not slice_index:
        return marked.take(marked.foreground.tolist(), [*marked.others.tolist(), *empty])
    indices = [slicing.stack_index(index) for index in slice_index]
    if not marked.shows[indices].any():
        raise AnnotationError("None of the slices named shows a label.")
    return marked.take(indices, empty)


def wanted_labels(labels: LabelVolume, names: Sequence[str | int]) -> tuple[Label, ...]:
    """Return the labels asked for by name or value; by default all that have a voxel."""
    if names:
        return tuple(sorted(labels.select(names), key=lambda label: label.value))
    counts = labels.voxel_counts()
    return tuple(label for label in labels.labels if counts[label.value])


def sample_slices(
    marked: Marked, count: int, background: int, way: Draw, rng: np.random.Generator
) -> Annotations:
    """Sample `count` slices that show the labels and, where empty ones are known, `background` that don't.

    "even" spreads the slices over all that show a label, so that each label is in two of them where that is
    possible. "paper" samples around the median m of the slices that show all labels, with their deviation s:
    N(m, s²) (3.3). Background slices lie, with "even", just beyond either end of the object, where an
    annotator would mark that it ends; the rest is sampled uniformly. They are only taken from a label file
    with more slices than were asked for, which is complete or shows other labels there.
    """
    if marked.foreground.size < count:
        names = ", ".join(label.name for label in marked.labels)
        raise AnnotationError(
            f"{count} slices were asked for, but only {marked.foreground.size} show {names}."
        )
    chosen = _even(marked, count, rng) if way == "even" else _normal(marked, count, rng)
    missing = [
        label.name for column, label in enumerate(marked.labels) if not marked.shows[chosen, column].any()
    ]
    if missing:
        raise AnnotationError(
            f"{count} slices can't show every label ({', '.join(missing)} is missing): "
            "sample more, name them, or train the labels one by one."
        )
    return marked.take(chosen, _background(marked, count, background, way, rng))


def _even(marked: Marked, count: int, rng: np.random.Generator) -> list[int]:
    """Spread slices over all that show a label; if so few can't show each, over those that show all."""
    chosen = _spread(marked, marked.foreground, count, rng)
    if not marked.shows[chosen].any(axis=0).all() and marked.complete.size >= count:
        return _spread(marked, marked.complete, count, rng)
    return chosen


def _spread(
    marked: Marked, candidates: Int64[np.ndarray, " F"], count: int, rng: np.random.Generator
) -> list[int]:
    """Sample one slice from about the middle of each of `count` equal parts.

    Then slices are exchanged until each label is in one of them and, with more slices than labels, until each
    is in two, where that is possible without taking as much from another label.
    """
    places = (np.arange(count) + rng.uniform(0.3, 0.7)) / count * candidates.size
    chosen = [int(candidates[place]) for place in places.astype(int)]
    for often in (1, 2) if count > len(marked.labels) else (1,):
        for column in np.argsort(marked.shows.sum(axis=0), kind="stable"):
            if marked.shows[chosen, column].sum() < often:
                chosen = _with_one_more(marked.shows, chosen, int(column), often)
    return chosen


def _with_one_more(shows: Bool[np.ndarray, "S k"], chosen: list[int], column: int, often: int) -> list[int]:
    """Move the slice that can be spared and has the shortest way to one more slice with the label."""
    new = np.setdiff1d(np.flatnonzero(shows[:, column]), chosen)
    needed = shows[chosen].sum(axis=0) <= often
    spare = [each for each in chosen if not (shows[each, column] or needed[shows[each]].any())]
    if not new.size or not spare:
        return chosen
    way = np.abs(new[:, None] - spare)
    to, moved = np.unravel_index(way.argmin(), way.shape)
    return sorted({*chosen, int(new[to])} - {spare[moved]})


def _normal(marked: Marked, count: int, rng: np.random.Generator) -> list[int]:
    """Sample different slices with the odds of N(m, s²), until each label is in one of them.

    They are slices that show all labels, or any label if these are too few.
    """
    candidates = marked.complete if marked.complete.size >= count else marked.foreground
    distance = (candidates - np.median(candidates)) / max(float(candidates.std()), 0.5)
    odds = np.exp(-0.5 * distance**2)
    for _ in range(TRIES):
        chosen = sorted(rng.choice(candidates, count, replace=False, p=odds / odds.sum()).tolist())
        if marked.shows[chosen].any(axis=0).all():
            break
    return chosen


def _background(
    marked: Marked, count: int, background: int, way: Draw, rng: np.random.Generator
) -> list[int]:
    if marked.foreground.size <= count:
        return []
    empty = marked.empty
    near = _beyond_ends(marked, empty, count, rng)[:background] if way == "even" else []
    rest = np.setdiff1d(empty, near)
    return [*near, *rng.choice(rest, min(background - len(near), rest.size), replace=False).tolist()]


def _beyond_ends(marked: Marked, empty: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """Sample an empty slice on either side of the object, no further off than annotated slices lie apart."""
    first, last = int(marked.foreground[0]), int(marked.foreground[-1])
    gap = -(-marked.foreground.size // count)
    before = empty[(empty < first) & (empty >= first - gap)]
    behind = empty[(empty > last) & (empty <= last + gap)]
    return [int(rng.choice(side)) for side in (before, behind) if side.size]
