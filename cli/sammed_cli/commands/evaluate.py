"""`sammed evaluate`: compare a prediction with a reference, label by label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.metrics.evaluation import Evaluation
    from sammed.reports.report import Table


@click.command(short_help="Compare two label volumes.")
@click.argument("prediction", type=options.EXISTING)
@click.argument("reference", type=options.EXISTING)
@options.exclude_slices
@options.axis
@click.option(
    "--tolerance",
    "tolerance_mm",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="MM",
    help="Surfaces that are closer than this agree for NSD.",
)
@options.spacing
@options.flatten
@options.colors
@options.resample
@options.json_output
@click.pass_obj
def evaluate(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Compare label volumes: Dice, IoU, HD95 and NSD in millimeters.

    PREDICTION and REFERENCE are label volumes on the same lattice. Labels are matched by name, or else by
    value. Slices count along the array of PREDICTION, as sammed prints them for the image; if it has to be
    resampled, along that of REFERENCE.
    """
    from sammed.jobs.evaluate import EvaluateRequest
    from sammed.jobs.evaluate import evaluate as job

    result = job(EvaluateRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, _table(result))


def _table(evaluation: Evaluation) -> Table:
    from sammed.reports.report import Table

    rows = [(str(label.value), label.name, label.scores) for label in evaluation.labels]
    rows.append(("", "mean", evaluation.mean))
    return Table(
        title="",
        headers=("Value", "Label", "Dice", "IoU", "HD95 mm", f"NSD {evaluation.tolerance_mm:g} mm"),
        rows=tuple((value, name, s.dice, s.iou, s.hd95_mm, s.nsd) for value, name, s in rows),
    )
