"""Gathered: what a reader found in a user's folder, before the cases are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sammed.datasets.labeled_sets.label_reading import LabelReading
from sammed.datasets.labeled_sets.labeled_set import Case, Split
from sammed_volumes.labels import Label


@dataclass(frozen=True, slots=True)
class Problem:
    """A case that can't be used, and the reason."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """Cases whose paths do not depend on a set, and what their files state about them.

    With `labels` None the label volumes name the labels. `ignore_value` is that of `LabeledSet`. `problems`
    are cases with missing files; they are not among `cases`.
    """

    cases: tuple[Case, ...]
    labels: tuple[Label, ...] | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)
    ignore_value: int | None = None
    problems: tuple[Problem, ...] = ()

    def read_with(self, reading: LabelReading) -> Gathered:
        """Return the same cases with another way to read their labels."""
        return replace(self, cases=tuple(replace(case, reading=reading) for case in self.cases))
