"""`sammed evaluate`: a prediction against a reference, label by label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.metrics.evaluation import Evaluation
    from sammed.reports.report import Table


@click.command(short_help="Compare two label volumes.")
@click.argument("prediction", type=options.EXISTING_FILE)
@click.argument("reference", type=options.EXISTING_FILE)
@options.exclude_slices
@options.axis
@click.option(
    "--tolerance",
    "tolerance_mm",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="MM",
    help="Distance up to which NSD calls two surfaces the same.",
)
@options.flatten
@options.json_output
@click.pass_obj
def evaluate(
    terminal: Terminal,
    prediction: Path,
    reference: Path,
    exclude_slices: tuple[int, ...],
    axis: int | None,
    tolerance_mm: float,
    flatten: bool,
    as_json: bool,
) -> None:
    """Compare label volumes: Dice, IoU, HD95 and NSD in millimeters.

    PREDICTION and REFERENCE are label volumes on one grid. Labels are matched by name, else by value.
    """
    from sammed.metrics.evaluation import evaluate as compare
    from sammed_volumes.formats import read_labels

    predicted = read_labels(prediction, flatten=flatten)
    evaluation = compare(
        predicted,
        read_labels(reference, flatten=flatten, like=predicted.grid),
        exclude_slices=exclude_slices,
        axis=axis,
        tolerance_mm=tolerance_mm,
    )
    terminal.answer(as_json, evaluation.to_json(), _table(evaluation))


def _table(evaluation: Evaluation) -> Table:
    from sammed.reports.report import Table

    rows = [(str(label.value), label.name, label.scores) for label in evaluation.labels]
    rows.append(("", "mean", evaluation.mean))
    return Table(
        title="",
        headers=("Value", "Label", "Dice", "IoU", "HD95 mm", f"NSD {evaluation.tolerance_mm:g} mm"),
        rows=tuple((value, name, s.dice, s.iou, s.hd95_mm, s.nsd) for value, name, s in rows),
    )
