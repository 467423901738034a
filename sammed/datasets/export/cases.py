"""The cases of a labeled set, as a data set for nnU-Net or MONAI takes them."""

from __future__ import annotations

from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.errors import SetError


def cases_of_set(labeled_set: LabeledSet) -> Gathered:
    """Return the cases of a set for `export_nnunet` and `export_monai`; test cases lose their labels.

    Raises SetError where no case to train on has labels.
    """
    cases = tuple(
        labeled_set.located(case.without_labels() if labeled_set.split_of(case) == "test" else case)
        for case in labeled_set.cases
    )
    if not any(case.is_labeled for case in cases):
        raise SetError(f"{labeled_set.folder} has no labeled case outside the test split.")
    return Gathered(cases, labeled_set.labels, ignore_value=labeled_set.ignore_value)
