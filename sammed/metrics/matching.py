"""Matching: which label of a prediction is which of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sammed_volumes.labels import Label

Pair = tuple[Label | None, Label | None]


def match_labels(
    ours: Sequence[Label], truth: Sequence[Label], report: Callable[[str], None] | None = None
) -> list[Pair]:
    """Return pairs (prediction, reference), None for a missing partner; by name first, then by value.

    If no two labels match, but each side has one label and at most one of the two has a name of its own, they
    are a pair. `report` is called with a sentence about labels of which none match.
    """
    partners = _partners(ours, truth)
    if ours and truth and not partners:
        is_clear = len(ours) == len(truth) == 1 and not (ours[0].own_name and truth[0].own_name)
        if is_clear:
            partners = {truth[0].value: ours[0]}
        if report is not None:
            report(_sentence(ours, truth, is_clear))
    left = [label for label in ours if label not in partners.values()]
    return [*((partners.get(label.value), label) for label in truth), *((label, None) for label in left)]


def _partners(ours: Sequence[Label], truth: Sequence[Label]) -> dict[int, Label]:
    """Return the prediction's labels by the values of the reference's labels that they match."""
    left = list(ours)
    partners: dict[int, Label] = {}
    for same in (_same_name, _same_value):
        for label in truth:
            found = next((one for one in left if label.value not in partners and same(one, label)), None)
            if found is not None:
                partners[label.value] = found
                left.remove(found)
    return partners


def _same_name(one: Label, other: Label) -> bool:
    return one.own_name == other.own_name != ""


def _same_value(one: Label, other: Label) -> bool:
    """Whether two labels have one value, and no names of their own that differ."""
    return one.value == other.value and not (one.own_name and other.own_name)


def _sentence(ours: Sequence[Label], truth: Sequence[Label], is_clear: bool) -> str:
    fact = (
        f"Prediction and reference share no label: the prediction has {_listed(ours)}, "
        f"the reference has {_listed(truth)}"
    )
    if is_clear:
        return f"{fact}; each has only one, so these two are compared."
    return f"{fact}; nothing overlaps, so give the same structures the same names or values."


def _listed(labels: Sequence[Label]) -> str:
    return ", ".join(f"{label.name} ({label.value})" for label in labels)
