"""Evaluating a student on the gold cases of a set's split."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import SPLITS, Case, LabeledSet, Split
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.errors import ConfigError, SammedError, SetError, StudentError
from sammed.metrics.evaluation import LabelScores, evaluate
from sammed_volumes.errors import VolumeError

if TYPE_CHECKING:
    from sammed.datasets.students.student import Student
    from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentEvaluationRequest:
    """Measure a student on the gold cases of one split of a set."""

    student: Path
    labeled_set: Path
    split: Split = "test"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ConfigError(f"There is no split {self.split!r}; there are {', '.join(SPLITS)}.")


@dataclass(frozen=True, slots=True)
class CaseScores:
    """The scores of each label in one case."""

    case: str
    labels: tuple[LabelScores, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One label over all cases: means, and the spread of Dice (standard deviation; NaN of a single case)."""

    value: int
    name: str
    dice_mean: float
    dice_std: float
    iou_mean: float
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentEvaluationResult:
    """How good a student is. A label that a case neither has nor was given counts as right (Dice 1)."""

    student: Path
    split: Split
    cases: tuple[CaseScores, ...]
    problems: tuple[Problem, ...]
    seconds: float

    def summaries(self) -> tuple[Summary, ...]:
        """A row a label, in order of value."""
        by_value: dict[int, list[LabelScores]] = {}
        for case in self.cases:
            for scores in case.labels:
                by_value.setdefault(scores.value, []).append(scores)
        return tuple(_summary(each) for _, each in sorted(by_value.items()))

    def to_json(self) -> dict[str, object]:
        """The object that `sammed student evaluate --json` prints."""
        return {
            "student": str(self.student),
            "split": self.split,
            "labels": {
                str(row.value): {
                    "name": row.name,
                    "dice_mean": row.dice_mean,
                    "dice_std": None if math.isnan(row.dice_std) else row.dice_std,
                    "iou_mean": row.iou_mean,
                    "cases": row.cases,
                }
                for row in self.summaries()
            },
            "cases": {
                case.case: {str(each.value): each.scores.to_json() for each in case.labels}
                for case in self.cases
            },
            "problems": [{"case": problem.case, "reason": problem.reason} for problem in self.problems],
            "seconds": round(self.seconds, 3),
        }


def evaluate_student(request: StudentEvaluationRequest, reporter: Reporter) -> StudentEvaluationResult:
    """Measure case after case; a bad one is told and the others still measured.

    Raises SetError where the split has no gold case, or none that can be read, StudentError where the
    student knows other labels than the set.
    """
    from sammed.backbones.device import choose_device
    from sammed.datasets.students.student_file import load_student

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
    return StudentEvaluationResult(
        student=request.student,
        split=request.split,
        cases=tuple(cases),
        problems=tuple(problems),
        seconds=time.perf_counter() - started,
    )


def _check_labels(student: Student, labeled_set: LabeledSet, request: StudentEvaluationRequest) -> None:
    ours, theirs = ([label.value for label in each.labels] for each in (student, labeled_set))
    if ours != theirs:
        raise StudentError(
            f"{request.student} knows the labels {ours}, and {request.labeled_set} lists {theirs}; "
            "measure it on a set with the labels that it was trained on."
        )


def _scores(case: Case, labeled_set: LabeledSet, student: Student) -> tuple[LabelScores, ...]:
    """Ignored voxels and slices that nobody annotated don't count."""
    from sammed.datasets.students.inference import label_by_student

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
