"""Make a set: open and check every case once; report bad ones and leave them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sammed.datasets.labeled_sets.gathered import Gathered, Problem
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.embeddings.opening import report_notes
from sammed.errors import SammedError, SetError
from sammed.progress import Reporter
from sammed.storage.fingerprint import image_digest
from sammed_volumes.errors import VolumeError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label, default_color

# A mask saved as a JPEG has a great many values.
_MOST_SHOWN = 20


def make_set(
    gathered: Gathered,
    folder: Path,
    reporter: Reporter,
    *,
    window: Window | None = None,
    names: Mapping[int, str] | None = None,
) -> tuple[LabeledSet, tuple[Problem, ...]]:
    """Return the set of all usable cases, and what is wrong with the others. Writes nothing.

    `names` replace the files' names of label values. Raises SetError where no case can be used, where no
    label volume has a label, and for the name of a value that no label has.
    """
    labels, problems = _listed(gathered, reporter)
    labels = with_names(labels, names or {}) if labels else _of_names(names or {})
    unnamed = [str(label.value) for label in labels if not label.own_name]
    if names and unnamed:
        reporter.message(f"Some labels have no name, perhaps by mistake: {', '.join(unnamed)}.")
    bad = {problem.case for problem in problems}
    labeled_set = LabeledSet(folder, labels, gathered.cases, gathered.splits, window, gathered.ignore_value)
    seen: dict[str, str] = {}
    with reporter.task("checking cases", len(gathered.cases)) as task:
        for case in gathered.cases:
            if case.name not in bad and (reason := _fault(case, labeled_set, seen)):
                problems.append(Problem(case.name, reason))
            task.advance()
    bad = {problem.case for problem in problems}
    problems = [*gathered.problems, *problems]
    if len(bad) == len(gathered.cases):
        raise SetError(f"None of {len(problems)} cases can be used; the first problem: {problems[0].reason}")
    return labeled_set.keep(lambda case: case.name not in bad), tuple(problems)


def _fault(case: Case, labeled_set: LabeledSet, seen: dict[str, str]) -> str | None:
    """Return what is wrong with a case; `seen` maps digests of earlier images to names, to find twins."""
    try:
        open_case(case, labeled_set)
        digest = image_digest(case.image)
    except (SammedError, VolumeError, OSError) as error:
        return str(error)
    if digest in seen:
        return f"{case.image} is the same image as in case {seen[digest]}."
    seen[digest] = case.name
    return None


def _listed(gathered: Gathered, reporter: Reporter) -> tuple[tuple[Label, ...], list[Problem]]:
    """Return the listed labels, or else those in the label volumes, each with one name."""
    if gathered.labels is not None:
        return gathered.labels, []
    if all(case.labels is None for case in gathered.cases):
        return (), []  # images alone, for synthesis or to be labeled
    found: dict[int, Label] = {}
    problems = []
    for case in gathered.cases:
        try:
            for label in _labels_of(case, reporter):
                _join(found, label, case)
        except (SammedError, VolumeError, OSError) as error:
            problems.append(Problem(case.name, str(error)))
    if not found:
        if problems:
            raise SetError(f"No label volume holds a label; the first problem: {problems[0].reason}")
        raise SetError("No label volume holds a label, so there is nothing to learn; label cases first.")
    return tuple(found[value] for value in sorted(found)), problems


def _of_names(names: Mapping[int, str]) -> tuple[Label, ...]:
    """Return the labels of a set of images alone, which only the user can name."""
    if not names:
        raise SetError(
            "No label volume holds a label, so there is nothing to learn; name what the images show "
            "with --name VALUE=NAME."
        )
    return tuple(Label(value, name, default_color(value)) for value, name in sorted(names.items()))


def _labels_of(case: Case, reporter: Reporter) -> Sequence[Label]:
    if case.labels is None:
        return ()
    volume = case.reading.read(case.labels)
    report_notes(volume, reporter)
    counts = volume.voxel_counts()
    return [label for label in volume.labels if counts[label.value] or label.own_name]


def _join(found: dict[int, Label], label: Label, case: Case) -> None:
    known = found.get(label.value)
    if known is None or not known.own_name:
        found[label.value] = label
    elif label.own_name and label.own_name != known.own_name:
        raise SetError(
            f"{case.labels} names label {label.value} {label.name!r}; others name it {known.name!r}."
        )


def with_names(labels: Sequence[Label], names: Mapping[int, str]) -> tuple[Label, ...]:
    """Return the labels with these names by value; SetError for a value that no label has."""
    values = [label.value for label in labels]
    for value, name in names.items():
        if value not in values:
            raise SetError(
                f"No label has the value {value}, so it can't be named {name}; {_listing(values)}."
            )
    return tuple(replace(label, name=names.get(label.value, label.name)) for label in labels)


def _listing(values: Sequence[int]) -> str:
    if len(values) == 1:
        return f"the only value is {values[0]}"
    shown = ", ".join(map(str, values[:_MOST_SHOWN]))
    return f"the values are {shown}" + (", and more" if len(values) > _MOST_SHOWN else "")
