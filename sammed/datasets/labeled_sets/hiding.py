"""Hide labels: turn a fully labeled set into one whose annotator had little time.

For experiments. Hidden labels stay in their files, and the full set is the truth to measure against.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sammed.datasets.even_choice import choose_evenly
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.errors import ConfigError, SetError


def keep_gold(labeled_set: LabeledSet, count: int, *, seed: int = 0) -> LabeledSet:
    """Return the set with the labels of only `count` gold training cases, sampled by the seed.

    Validation and test cases keep their labels. Raises SetError where there are fewer cases.
    """
    training = labeled_set.part("train").gold
    if not 0 < count <= len(training):
        raise SetError(f"{count} labels can't be kept: the set has {len(training)} gold training cases.")
    ordered = sorted(training, key=lambda case: case.name)
    sampled = np.random.default_rng(seed).permutation(len(ordered))[:count].tolist()
    kept = {ordered[index].name for index in sampled}
    hidden = {case.name for case in training} - kept
    return labeled_set.with_cases(
        [case.without_labels() if case.name in hidden else case for case in labeled_set.cases]
    )


def keep_slices(labeled_set: LabeledSet, count: int) -> LabeledSet:
    """Return the set with `count` annotated slices in each gold training volume, spread evenly.

    A volume with fewer labeled slices keeps all; a single slice stays fully annotated. Reads the files;
    raises the errors of `open_case`.
    """
    if count < 1:
        raise ConfigError(f"A volume must keep 1 annotated slice or more, not {count}.")
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
    shown = [index for index in opened.known if stack[index].any()]
    if not shown:
        raise SetError(f"Case {case.name} shows no label, so no slice of it can be annotated.")
    # Neither end of an organ is chosen, where little of it is left.
    kept = choose_evenly(shown, count)
    slices = tuple(sorted(opened.slicing.array_index(index) for index in kept))
    return replace(case, annotated_slices=slices, axis=opened.slicing.axis)
