"""Tables for people: labeled sets, pseudo-labels and students."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sammed.reports.report import Table

if TYPE_CHECKING:
    from sammed.datasets.labeled_sets.gathered import Problem
    from sammed.jobs.pseudo_labeling import PseudoLabelingItem, PseudoLabelingResult
    from sammed.jobs.set_making import SetResult
    from sammed.jobs.student_evaluation import StudentEvaluationResult
    from sammed.jobs.student_training import StudentTrainingResult


def set_table(result: SetResult) -> Table:
    """A row a split and origin."""
    rows = tuple(
        (split, origin, count)
        for split, counts in result.counts().items()
        for origin, count in counts.items()
    )
    labels = ", ".join(f"{label.value} {label.name}" for label in result.labeled_set.labels)
    title = f"{result.labeled_set.folder}: {labels or 'no labels'}"
    return Table(title, ("Split", "Labels made by", "Cases"), rows)


def problems_table(problems: Sequence[Problem]) -> Table:
    """A row a case that was left out."""
    return Table("Left out", ("Case", "Why"), tuple((each.case, each.reason) for each in problems))


def pseudo_labeling_table(result: PseudoLabelingResult) -> Table:
    """A row a case, what failed last."""
    items = sorted(result.items, key=lambda item: item.status == "failed")
    return Table("", ("Case", "Status", "Score", "Labels", "Seconds", "Why"), tuple(map(_row, items)))


def pseudo_labeling_summary(result: PseudoLabelingResult) -> str:
    """One line: "8 labeled from 10 gold cases, 1 dropped, 1 without a finding, 0 failed"."""
    counts = {
        "labeled": f"labeled from {result.gold} gold cases",
        "partly ignored": "labeled and partly ignored",
        "dropped": "dropped",
        "nothing": "without a finding",
        "failed": "failed",
    }
    numbers = {status: sum(item.status == status for item in result.items) for status in counts}
    text = ", ".join(
        f"{numbers[status]} {words}"
        for status, words in counts.items()
        if numbers[status] or status != "partly ignored"
    )
    return f"Interrupted: {text}, the rest not finished." if result.interrupted else f"{text}."


def student_table(result: StudentTrainingResult) -> Table:
    """What was trained, on what, how long it took."""
    facts = (
        ("student", str(result.student)),
        ("network", result.network),
        ("labels", ", ".join(result.labels)),
        ("cases", f"{result.gold_cases} gold, {result.pseudo_cases} pseudo-labeled"),
        ("samples", f"{result.samples:,}"),
        ("steps", f"{result.steps:,}"),
        ("last loss", f"{result.loss:.4f}"),
        ("logs", str(result.log)),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Student", ""), facts)


def evaluation_table(result: StudentEvaluationResult) -> Table:
    """A row a label."""
    rows = tuple(
        (row.name, row.dice_mean, row.dice_std, row.iou_mean, row.cases) for row in result.summaries()
    )
    return Table("", ("Label", "Dice", "Spread", "IoU", "Cases"), rows)


def _row(item: PseudoLabelingItem) -> tuple[str, ...]:
    score = "" if item.score is None else f"{item.score:.3f}"
    labels = ", ".join(f"{name} {value:.3f}" for name, value in item.label_scores.items())
    return item.case, item.status, score, labels, f"{item.seconds:.1f}", item.reason or ""
