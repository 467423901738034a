"""Gathered: what a reader found in somebody's folder, before it is checked and made a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sammed.datasets.labeled_sets.labeled_set import Case, Split
from sammed_volumes.labels import Label


@dataclass(frozen=True, slots=True)
class Problem:
    """A case that can't be used, and why."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """Cases with absolute paths, and what the source says of them.

    `labels` None: it says nothing, so the label volumes are asked. `ignore_value` as in `LabeledSet`.
    `problems` are those of which files are missing; they are not among the cases.
    """

    cases: tuple[Case, ...]
    labels: tuple[Label, ...] | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)
    ignore_value: int | None = None
    problems: tuple[Problem, ...] = ()
