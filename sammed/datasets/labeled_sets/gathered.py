"""Gathered: what a reader found in a user's folder, before the cases are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sammed.datasets.labeled_sets.label_reading import LabelReading
from sammed.datasets.labeled_sets.labeled_set import Case, Split
from sammed.errors import SetError
from sammed_volumes.errors import LabelError
from sammed_volumes.labels import Label, default_color


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


def names_by_value(path: Path, named: Iterable[tuple[object, object]]) -> dict[int, str]:
    """Return the names of labels by value, from the pairs (value, name) of a JSON file.

    Raises SetError, which names the file, for a value that is no whole number.
    """
    try:
        return {_whole(value): str(name) for value, name in named}
    except ValueError:
        raise SetError(f"{path} has a label whose value is no whole number; correct it.") from None


def named_labels(path: Path, names: Mapping[int, str]) -> tuple[Label, ...]:
    """Return labels by ascending value; SetError, which names the file, for one that can't be."""
    try:
        return tuple(Label(value, name, default_color(value)) for value, name in sorted(names.items()))
    except LabelError as error:
        raise SetError(f"{path} can't be used: {error}") from None


def _whole(value: object) -> int:
    return int(value) if isinstance(value, float) and value.is_integer() else int(str(value))
