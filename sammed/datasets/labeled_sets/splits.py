"""Splits by case, seeded: training, validation and test cases.

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
    """Return the set with newly sampled `test` and `validation` gold cases; all others are training cases.

    Only fully annotated gold cases are sampled, since others can't be measured on. `group` is a regular
    expression: cases with the same match (its first group, if it has one) are sampled together, so there may
    be a few more. Raises SetError where too few cases are left to train on or to sample from.
    """
    if test < 0 or validation < 0:
        raise ConfigError("The number of cases in a split must be 0 or more.")
    whole = [case for case in labeled_set.gold if not case.is_partial]
    groups = _grouped(whole, group)
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    shuffled = [groups[index] for index in order]
    splits: dict[str, Split] = {}
    wanted: tuple[tuple[Split, int], ...] = (("test", test), ("validation", validation))
    for split, count in wanted:
        sampled: list[Case] = []
        while len(sampled) < count:
            if not shuffled:
                raise SetError(
                    f"{test} test cases and {validation} validation cases are more than the "
                    f"{len(whole)} fully annotated gold cases."
                )
            sampled += shuffled.pop()
        splits.update({case.name: split for case in sampled})
    names = {case.name for case in labeled_set.cases}
    if names and names == set(splits):
        raise SetError(
            f"With {test} test cases and {validation} validation cases no case is left to train on."
        )
    return replace(labeled_set, splits={name: splits.get(name, "train") for name in sorted(names)})


def _grouped(cases: list[Case], group: str | None) -> list[list[Case]]:
    """Return groups of cases that are sampled together, in order of name."""
    try:
        pattern = None if group is None else re.compile(group)
    except re.error as error:
        raise ConfigError(f"{group!r} is not a regular expression: {error}.") from None
    groups: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.name):
        found = pattern.search(case.name) if pattern else None
        key = case.name if found is None else found.group(1) if found.groups() else found.group()
        groups.setdefault(key, []).append(case)
    return list(groups.values())
