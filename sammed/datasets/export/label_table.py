"""One numbering for the labels of many label volumes.

A data set numbers its labels 1, 2, 3 ... without gaps. Labels of different volumes are the same label if they
have the same name, ignoring case; a label without a name is identified by its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt

from sammed.errors import ExportError
from sammed_volumes.labels import Label, smallest_unsigned

BACKGROUND, IGNORE = "background", "ignore"


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The names of a data set's labels in order; the first has the value 1.

    `values` holds for each volume a mapping from its own values to the data set's.
    """

    names: tuple[str, ...]
    values: tuple[Mapping[int, int], ...]

    @property
    def ignore_value(self) -> int:
        """The value of the ignore label: one above the highest label."""
        return len(self.names) + 1

    def numbering(self, *, ignore: bool) -> dict[str, int]:
        """Map names to values, with background 0 and, on request, the ignore label as the highest value."""
        numbers = {BACKGROUND: 0, **{name: value for value, name in enumerate(self.names, start=1)}}
        return {**numbers, IGNORE: self.ignore_value} if ignore else numbers

    def renumber(self, volume: int, voxels: Shaped[np.ndarray, "X Y Z"]) -> UInt[np.ndarray, "X Y Z"]:
        """Return the voxels of one volume with the data set's values."""
        mapping = self.values[volume]
        highest = int(voxels.max(initial=0))
        table = np.zeros(highest + 1, dtype=smallest_unsigned(self.ignore_value))
        for source, target in mapping.items():
            if source <= highest:
                table[source] = target
        renumbered: UInt[np.ndarray, "X Y Z"] = table[voxels]
        return renumbered


def number_labels(volumes: Sequence[Sequence[Label]]) -> LabelTable:
    """Number the labels of several volumes, in order of the lowest value of each.

    Raises ExportError for volumes without any label, a name that occurs twice in one volume, a label named
    like the background or the ignore label, and a nameless label whose value has two names in other volumes.
    """
    named = _names_by_value(volumes)
    keys = [{label.value: _key(label, named) for label in labels} for labels in volumes]
    spelled: dict[str, str] = {}
    lowest: dict[str, int] = {}
    for label in sorted((label for labels in volumes for label in labels), key=_named_first):
        key = _key(label, named)
        spelled.setdefault(key, label.name.strip())
        lowest[key] = min(label.value, lowest.get(key, label.value))
    if not lowest:
        raise ExportError("No label volume holds a label to train on; label cases first.")
    order = sorted(lowest, key=lambda key: (lowest[key], key))
    number = {key: value for value, key in enumerate(order, start=1)}
    return LabelTable(
        tuple(spelled[key] for key in order),
        tuple({value: number[key] for value, key in by_value.items()} for by_value in keys),
    )


def _named_first(label: Label) -> bool:
    return not label.own_name


def _names_by_value(volumes: Sequence[Sequence[Label]]) -> dict[int, set[str]]:
    """Return the names that each value has in any volume."""
    named: dict[int, set[str]] = {}
    for labels in volumes:
        names = [label.own_name for label in labels if label.own_name]
        for name in names:
            if name in (BACKGROUND, IGNORE):
                raise ExportError(f"A label is named {name!r}, which is reserved in data sets; rename it.")
            if names.count(name) > 1:
                raise ExportError(f"Two labels of one volume are named {name!r}; merge them or rename one.")
        for label in labels:
            if label.own_name:
                named.setdefault(label.value, set()).add(label.own_name)
    return named


def _key(label: Label, named: Mapping[int, set[str]]) -> str:
    """Return what identifies a label: its name, or else the name that its value has in other volumes."""
    if label.own_name:
        return label.own_name
    names = named.get(label.value, set())
    if len(names) > 1:
        raise ExportError(
            f"Label {label.value} has no name in one volume and several in others "
            f"({', '.join(sorted(names))}); name it in all volumes."
        )
    return next(iter(names), label.name.strip())
