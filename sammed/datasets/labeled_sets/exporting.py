"""A labeled set as the cases of a data set for nnU-Net or MONAI."""

from __future__ import annotations

from sammed.datasets.export.cases import Case as ExportCase
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.errors import SetError
from sammed.storage.provenance import read_provenance


def export_cases(labeled_set: LabeledSet) -> tuple[ExportCase, ...]:
    """The cases of a set, for `export_nnunet` and `export_monai`.

    Cases to test on are exported without their labels, like those that have none. What the set ignores gets
    the data set's ignore label, and so do slices that a person didn't mark. Raises SetError where no case
    to train on has labels.
    """
    cases = tuple(_case(case, labeled_set) for case in labeled_set.cases)
    if all(case.label is None for case in cases):
        raise SetError(f"No case of {labeled_set.folder} that isn't tested on has labels.")
    return cases


def _case(case: Case, labeled_set: LabeledSet) -> ExportCase:
    image = labeled_set.path(case.image)
    if case.labels is None or labeled_set.split_of(case) == "test":
        return ExportCase(image, None, name=case.name)
    labels = labeled_set.path(case.labels)
    return ExportCase(
        image,
        labels,
        origin="gold" if case.is_gold else "pseudo",
        axis=case.axis,
        annotated_slices=case.annotated_slices,
        provenance=read_provenance(labels),
        name=case.name,
        labels=labeled_set.labels,
        ignore=None if case.ignore is None else labeled_set.path(case.ignore),
        ignore_value=labeled_set.ignore_value,
    )
