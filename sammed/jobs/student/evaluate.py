"""`student evaluate`: measure a student on the gold cases of a set's split."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sammed.backbones.device import choose_device
from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import SPLITS, Case, LabeledSet, Split
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.students.inference import label_by_student
from sammed.datasets.students.student import Student
from sammed.datasets.students.student_file import load_student
from sammed.errors import SammedError, SetError, StudentError
from sammed.jobs.validation import check_word
from sammed.metrics.evaluation import LabelScores, evaluate
from sammed.progress import Reporter
from sammed.reports.report import finite
from sammed_volumes.errors import VolumeError


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentEvaluateRequest:
    """Measure a student on the gold cases of one split of a set."""

    student: Path
    labeled_set: Path
    split: Split = "test"
    device: str = "auto"

    def __post_init__(self) -> None:
        check_word("split", self.split, SPLITS)


@dataclass(frozen=True, slots=True)
class CaseScores:
    """The scores of each label in one case."""

    case: str
    labels: tuple[LabelScores, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One label over all cases: means, and the standard deviation of Dice (NaN for a single case)."""

    value: int
    name: str
    dice_mean: float
    dice_std: float
    iou_mean: float
    cases: int

    def to_json(self) -> dict[str, object]:
        """Return the fields without `value`, with None in place of NaN."""
        facts = asdict(self)
        del facts["value"]
        return {name: finite(fact) for name, fact in facts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentEvaluateResult:
    """The scores of a student. A label that is in neither the truth nor the prediction has a Dice of 1."""

    student: Path
    split: Split
    cases: tuple[CaseScores, ...]
    problems: tuple[Problem, ...]
    seconds: float

    def summaries(self) -> tuple[Summary, ...]:
        """Return one row per label, in order of value."""
        by_value: dict[int, list[LabelScores]] = {}
        for case in self.cases:
            for scores in case.labels:
                by_value.setdefault(scores.value, []).append(scores)
        return tuple(_summary(each) for _, each in sorted(by_value.items()))

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed student evaluate --json` prints."""
        return {
            "student": str(self.student),
            "split": self.split,
            "labels": {str(row.value): row.to_json() for row in self.summaries()},
            "cases": {
                case.case: {str(each.value): each.scores.to_json() for each in case.labels}
                for case in self.cases
            },
            "problems": [asdict(problem) for problem in self.problems],
            "seconds": round(self.seconds, 3),
        }


def student_evaluate(request: StudentEvaluateRequest, reporter: Reporter) -> StudentEvaluateResult:
    """Measure case after case; the result reports bad cases, which are skipped.

    Raises SetError if the split has no readable gold case, StudentError if the student's labels are not the
    set's.
    """
    started = time.perf_counter()
    student = load_student(request.student)
    labeled_set = read_set(request.labeled_set)
    _check_labels(student, labeled_set, request)
    student.network.to(choose_device(request.device))
    gold = labeled_set.part(request.split).gold
    if not gold:
        raise SetError(f"The split {request.split} of {request.labeled_set} has no gold case to measure on.")
    cases, problems = [], []
    with reporter.task("evaluating", len(gold)) as task:
        for case in gold:
            try:
                cases.append(CaseScores(case.name, _scores(case, labeled_set, student)))
            except (SammedError, VolumeError, OSError) as error:
                problems.append(Problem(case.name, str(error)))
            task.advance()
    if not cases:
        raise SetError(f"No case of the split {request.split} can be measured: {problems[0].reason}")
    return StudentEvaluateResult(
        student=request.student,
        split=request.split,
        cases=tuple(cases),
        problems=tuple(problems),
        seconds=time.perf_counter() - started,
    )


def _check_labels(student: Student, labeled_set: LabeledSet, request: StudentEvaluateRequest) -> None:
    ours, theirs = ([label.value for label in each.labels] for each in (student, labeled_set))
    if ours != theirs:
        raise StudentError(
            f"{request.student} was trained on the labels {ours}, but {request.labeled_set} has {theirs}; "
            "measure it on a set with its own labels."
        )


def _scores(case: Case, labeled_set: LabeledSet, student: Student) -> tuple[LabelScores, ...]:
    """Compare with the gold labels, without ignored voxels and unannotated slices."""
    opened = open_case(case, labeled_set)
    assert opened.labels is not None  # it is a gold case
    found = label_by_student(opened.volume, student, opened.slicing.axis).labels
    truth = replace(opened.labels, labels=labeled_set.labels)
    if opened.ignore is not None:
        found, truth = (
            replace(each, voxels=np.where(opened.ignore, 0, each.voxels).astype(each.voxels.dtype))
            for each in (found, truth)
        )
    unknown = _unknown_slices(opened)
    return evaluate(found, truth, exclude_slices=unknown, axis=opened.slicing.axis).labels


def _unknown_slices(opened: OpenCase) -> tuple[int, ...]:
    slicing = opened.slicing
    return tuple(slicing.array_index(index) for index in range(slicing.count) if not opened.is_known(index))


def _summary(rows: Sequence[LabelScores]) -> Summary:
    dices, ious = [row.scores.dice for row in rows], [row.scores.iou for row in rows]
    spread = statistics.stdev(dices) if len(dices) > 1 else math.nan
    return Summary(
        rows[0].value, rows[0].name, statistics.fmean(dices), spread, statistics.fmean(ious), len(rows)
    )
