"""`sammed student`: train a network on a labeled set, label with it, measure it."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import assignments, options
from sammed_cli.terminal import Terminal


@click.group(short_help="Train, use and measure a network of your own.")
def student() -> None:
    """A student is a network that learns from gold labels and pseudo-labels, and then needs no SAM."""


@student.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--network",
    type=click.Choice(("unet", "unet++", "dynunet")),
    default="unet++",
    show_default=True,
    help="MONAI's BasicUNet or BasicUNetPlusPlus on slices, or DynUNet in 3-D.",
)
@assignments.settings_option(
    "A setting such as epochs=40, size_px=128, loss=dice+ce; may be repeated. --settings lists all.",
    "sammed.datasets.students.config:StudentConfig",
)
@click.option("--gold-only", is_flag=True, help="Learn from gold labels only.")
@click.option(
    "--pseudo-weight",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Weight of a pseudo-label; a gold label has 1.",
)
@click.option(
    "--output",
    type=options.NEW_FILE,
    default="student.safetensors",
    show_default=True,
    help="Student to write.",
)
@click.option(
    "--log", type=options.NEW_FOLDER, help="Folder for logs and curves.  [default: NAME-log beside it]"
)
@options.seed
@options.device
@options.overwrite
@options.json_output
@click.pass_obj
def train(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Train on the training cases of SET, gold and pseudo-labeled.

    After an interruption the same command resumes the training, and ends with the same student.
    """
    from sammed.jobs.student.train import StudentTrainRequest, student_train
    from sammed_cli.set_reports import problem_tables, student_train_table

    result = student_train(StudentTrainRequest(**settings), terminal.reporter)
    tables = student_train_table(result), *problem_tables(result.problems)
    terminal.finish(as_json, result, *tables, failed=bool(result.problems))


@student.command()
@click.argument("student", type=options.EXISTING_FILE, metavar="STUDENT")
@options.batch_inputs
@options.batch_output
@options.axis
@options.device
@options.series
@options.codes
@options.overwrite
@options.json_output
@click.pass_obj
def label(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Label images, DICOM folders, folders of either with their subfolders, or files that match a pattern.

    A bad image is reported and skipped; the exit status is then 1. For several images the command keeps a
    manifest: run again, it skips finished and unchanged images, and a second process takes other images.
    """
    from sammed.jobs.student.label import StudentLabelRequest, student_label
    from sammed_cli.reports import show_labeling

    show_labeling(terminal, as_json, student_label(StudentLabelRequest(**settings), terminal.reporter))


@student.command()
@click.argument("student", type=options.EXISTING_FILE, metavar="STUDENT")
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--split",
    type=click.Choice(("train", "validation", "test")),
    default="test",
    show_default=True,
    help="Split whose gold cases to measure on.",
)
@options.device
@options.json_output
@click.pass_obj
def evaluate(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Measure a student on gold cases: Dice and IoU per label, mean and spread over the cases."""
    from sammed.jobs.student.evaluate import StudentEvaluateRequest, student_evaluate
    from sammed_cli.set_reports import problem_tables, student_evaluate_table

    result = student_evaluate(StudentEvaluateRequest(**settings), terminal.reporter)
    tables = student_evaluate_table(result), *problem_tables(result.problems)
    terminal.finish(as_json, result, *tables, failed=bool(result.problems))
