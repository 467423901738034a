"""Splits by case, seeded: which cases are trained on, validated on, tested on.

A volume's slices stay together because a volume is a case; `group` keeps cases of one patient together.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet, Split
from sammed.errors import ConfigError, SetError


def split_cases(
    labeled_set: LabeledSet, *, test: int, validation: int = 0, seed: int = 0, group: str | None = None
) -> LabeledSet:
    """The set with `test` and `validation` gold cases drawn anew; all others are trained on.

    Drawn are gold cases that are annotated throughout, since others can't be measured on. `group` is a
    regular expression: cases with the same match (its first group, if it has one) are drawn together, so
    there may be a few more. Raises SetError where too few cases are left to train on or to draw from.
    """
    if test < 0 or validation < 0:
        raise ConfigError("The number of cases in a split is 0 or more.")
    whole = [case for case in labeled_set.gold if not case.is_partial]
    groups = _grouped(whole, group)
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    shuffled = [groups[index] for index in order]
    splits: dict[str, Split] = {}
    wanted: tuple[tuple[Split, int], ...] = (("test", test), ("validation", validation))
    for split, count in wanted:
        drawn: list[Case] = []
        while len(drawn) < count:
            if not shuffled:
                raise SetError(
                    f"{test} cases to test on and {validation} to validate on are more than the "
                    f"{len(whole)} gold cases that are annotated throughout."
                )
            drawn += shuffled.pop()
        splits.update({case.name: split for case in drawn})
    names = {case.name for case in labeled_set.cases}
    if names and names == set(splits):
        raise SetError(
            f"With {test} cases to test on and {validation} to validate on none is left to train on."
        )
    return replace(labeled_set, splits={name: splits.get(name, "train") for name in sorted(names)})


def _grouped(cases: list[Case], group: str | None) -> list[list[Case]]:
    """Cases that are drawn together, in order of name."""
    try:
        pattern = None if group is None else re.compile(group)
    except re.error as error:
        raise ConfigError(f"{group!r} is no regular expression: {error}.") from None
    groups: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.name):
        found = pattern.search(case.name) if pattern else None
        key = case.name if found is None else found.group(1) if found.groups() else found.group()
        groups.setdefault(key, []).append(case)
    return list(groups.values())
