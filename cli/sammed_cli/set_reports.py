"""Tables of labeled sets, pseudo-labels and students."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sammed.reports.report import Table

if TYPE_CHECKING:
    from sammed.datasets.labeled_sets.gathered import Problem
    from sammed.jobs.pseudo_label import PseudoLabelItem, PseudoLabelResult
    from sammed.jobs.set.info import SetResult
    from sammed.jobs.student.evaluate import StudentEvaluateResult
    from sammed.jobs.student.train import StudentTrainResult


def set_table(result: SetResult) -> Table:
    """Return one row per split and origin."""
    rows = tuple(
        (split, origin, count)
        for split, counts in result.counts().items()
        for origin, count in counts.items()
    )
    labels = ", ".join(f"{label.value} {label.name}" for label in result.labeled_set.labels)
    title = f"{result.labeled_set.folder}: {labels or 'no labels'}"
    return Table(title, ("Split", "Labels by", "Cases"), rows)


def problem_tables(problems: Sequence[Problem]) -> tuple[Table, ...]:
    """Return a table of the cases that were left out, or none if there are no such cases."""
    rows = tuple((each.case, each.reason) for each in problems)
    return (Table("Left out", ("Case", "Reason"), rows),) if rows else ()


def pseudo_label_table(result: PseudoLabelResult) -> Table:
    """Return one row per case, failed ones last."""
    items = sorted(result.items, key=lambda item: item.status == "failed")
    return Table("", ("Case", "Status", "Score", "Labels", "Seconds", "Reason"), tuple(map(_row, items)))


def pseudo_label_summary(result: PseudoLabelResult) -> str:
    """Return one line: "8 labeled from 10 gold cases, 1 dropped, 1 without a finding, 0 failed."."""
    counts = {
        "labeled": f"labeled from {result.gold} gold cases",
        "partly ignored": "labeled and partly ignored",
        "dropped": "dropped",
        "nothing": "without a finding",
        "failed": "failed",
    }
    numbers = {status: sum(item.status == status for item in result.items) for status in counts}
    shown = {
        status: words for status, words in counts.items() if numbers[status] or status != "partly ignored"
    }
    return ", ".join(f"{numbers[status]} {words}" for status, words in shown.items()) + "."


def student_train_table(result: StudentTrainResult) -> Table:
    """Return a table of what was trained, on which cases, and how long it took."""
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


def student_evaluate_table(result: StudentEvaluateResult) -> Table:
    """Return one row per label."""
    rows = tuple(
        (row.name, row.dice_mean, row.dice_std, row.iou_mean, row.cases) for row in result.summaries()
    )
    return Table("", ("Label", "Dice", "Spread", "IoU", "Cases"), rows)


def _row(item: PseudoLabelItem) -> tuple[str, ...]:
    score = "" if item.score is None else f"{item.score:.3f}"
    labels = ", ".join(f"{name} {value:.3f}" for name, value in item.label_scores.items())
    return item.case, item.status, score, labels, f"{item.seconds:.1f}", item.reason or ""
