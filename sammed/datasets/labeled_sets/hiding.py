"""Hiding labels: from a set that is labeled throughout to one that a person had little time for.

For experiments: what is hidden stays in its file, and the set without hiding is the truth to measure against.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.errors import ConfigError, SetError


def keep_gold(labeled_set: LabeledSet, count: int, *, seed: int = 0) -> LabeledSet:
    """The set with the labels of `count` gold training cases, drawn by the seed; those of the others go.

    Cases that are validated or tested on keep theirs. Raises SetError where there are fewer.
    """
    training = labeled_set.part("train").gold
    if not 0 < count <= len(training):
        raise SetError(f"There are {len(training)} gold training cases, of which {count} can't be kept.")
    ordered = sorted(training, key=lambda case: case.name)
    drawn = np.random.default_rng(seed).permutation(len(ordered))[:count].tolist()
    kept = {ordered[index].name for index in drawn}
    hidden = {case.name for case in training} - kept
    return labeled_set.with_cases(
        [case.without_labels() if case.name in hidden else case for case in labeled_set.cases]
    )


def keep_slices(labeled_set: LabeledSet, count: int) -> LabeledSet:
    """The set with `count` annotated slices in each gold training volume, spread evenly over its labels.

    Of a volume with fewer labeled slices all are kept; a single slice is annotated as a whole. Files are
    read; see `open_case` for errors.
    """
    if count < 1:
        raise ConfigError(f"A volume keeps one annotated slice or more, not {count}.")
    training = {case.name for case in labeled_set.part("train").gold}
    return labeled_set.with_cases(
        [
            _with_slices(case, labeled_set, count) if case.name in training else case
            for case in labeled_set.cases
        ]
    )


def _with_slices(case: Case, labeled_set: LabeledSet, count: int) -> Case:
    opened = open_case(case, labeled_set)
    if opened.slicing.count == 1:
        return case
    stack = opened.label_stack()
    shown = [index for index in np.flatnonzero(stack.any(axis=(1, 2))).tolist() if opened.is_known(index)]
    if not shown:
        raise SetError(f"Case {case.name} shows no label, so no slice of it can be annotated.")
    # The middles of `count` equal parts: neither end of an organ is drawn, where little of it is left.
    places = (np.arange(count) + 0.5) / count * len(shown)
    kept = {shown[int(place)] for place in places}
    slices = tuple(sorted(opened.slicing.array_index(index) for index in kept))
    return replace(case, annotated_slices=slices, axis=opened.slicing.axis)
