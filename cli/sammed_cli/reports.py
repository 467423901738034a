"""Tables of the main commands: what a job did."""

from __future__ import annotations

from pathlib import Path

from sammed.batch.result import LabelingItem, LabelingResult
from sammed.jobs.assist_evaluate import AssistEvaluateResult
from sammed.jobs.assist_label import AssistLabelResult
from sammed.jobs.assist_train import AssistTrainResult
from sammed.jobs.interpolate import InterpolateResult
from sammed.reports.report import Table
from sammed_cli.terminal import Terminal


def training_tables(result: AssistTrainResult) -> tuple[Table, ...]:
    """Return what was learned, from which slices, how long it took, and the expected Dice of each label."""
    facts = (
        ("skill", str(result.skill)),
        ("backbone", result.backbone),
        ("labels", ", ".join(result.labels)),
        (f"annotated slices (axis {result.axis})", _list(result.annotated_slices)),
        ("slices learned as empty", _list(result.background_slices)),
        ("numbers learned", f"{result.trainable_parameters:,}"),
        ("seconds", f"{result.seconds:.1f}"),
    )
    expected = Table("", ("Label", "Expected Dice"), tuple(result.expected_dice.items()))
    return Table("", ("Skill", ""), facts), *([expected] if expected.rows else [])


def show_labeling(terminal: Terminal, as_json: bool, result: LabelingResult) -> None:
    """Show a batch and end the command; a failed or interrupted batch has its own exit status."""
    terminal.finish(
        as_json,
        result,
        labeling_table(result),
        summary=labeling_summary(result),
        failed=result.count("failed") > 0,
        interrupted=result.interrupted,
    )


def labeling_table(result: LabelingResult) -> Table:
    """Return one row per image, failed ones last; a label volume beside its image by its name alone."""
    items = sorted(result.items, key=lambda item: item.status == "failed")
    headers = ("Image", "Status", "Labels", "Labeled slices", "Seconds", "Label volume or error")
    return Table("", headers, tuple(_labeling_row(item) for item in items))


def labeling_summary(result: LabelingResult) -> str:
    """Return one line: "12 labeled, 1 skipped, 1 failed."."""
    done, skipped, failed = result.count("done"), result.count("skipped"), result.count("failed")
    return f"{done} labeled, {skipped} skipped, {failed} failed."


def assist_label_table(result: AssistLabelResult) -> Table:
    """Return a table of what was labeled, and the file."""
    facts = (
        ("label volume", str(result.output)),
        ("labels", ", ".join(result.labels)),
        (f"slices (axis {result.axis})", _list(result.slices)),
        ("backbone", result.backbone),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Labeled", ""), facts)


def interpolate_tables(result: InterpolateResult) -> tuple[Table, Table]:
    """Return what was labeled from what, and the expected Dice of each label."""
    facts = (
        ("label volume", str(result.output)),
        ("method", result.method),
        (f"annotated slices (axis {result.axis})", _list(result.annotated_slices)),
        ("seconds", f"{result.seconds:.1f}"),
    )
    expected = tuple(result.expected_dice.items())
    return Table("", ("Interpolated", ""), facts), Table("", ("Label", "Dice on slices left out"), expected)


def assist_evaluate_table(result: AssistEvaluateResult) -> Table:
    """Return one row per kind of prompt."""
    rows = tuple(
        (
            row.backbone,
            "learned" if row.trained else "plain",
            row.prompt,
            row.count,
            row.dice_mean,
            row.dice_std,
            row.slices,
        )
        for row in result.rows
    )
    return Table("", ("Backbone", "Prompts", "Kind", "Points", "Dice", "Spread", "On slices"), rows)


def _labeling_row(item: LabelingItem) -> tuple[str, ...]:
    output = item.output or Path()
    outcome = item.error or (output.name if output.parent == item.image.parent else str(output))
    seconds = f"{item.seconds:.1f}"
    return str(item.image), item.status, ", ".join(item.labels), str(item.slices), seconds, outcome


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)) or "none"
