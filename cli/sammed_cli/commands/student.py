"""`sammed student`: train a network on a labeled set, label with it, measure it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sammed_cli import options
from sammed_cli.assignments import settings
from sammed_cli.failures import FAILED, INTERRUPTED

_DEVICE = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute."
)


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
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=settings,
    metavar="KEY=VALUE",
    help="A setting such as epochs=40, size_px=128, loss=dice+ce, optimizer=adam; may be repeated.",
)
@click.option("--gold-only", is_flag=True, help="Learn from what persons labeled alone.")
@click.option(
    "--pseudo-weight",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How much a pseudo-label counts beside a gold one.",
)
@click.option(
    "--output", type=options.NEW_FILE, default="student.safetensors", show_default=True, help="The student."
)
@click.option(
    "--log", type=options.NEW_FOLDER, help="Folder of logs and curves.  [default: NAME-log beside it]"
)
@options.seed
@_DEVICE
@options.overwrite
@options.json_output
@click.pass_context
def train(context: click.Context, /, as_json: bool, labeled_set: Path, **request: Any) -> None:
    """Train on the training cases of SET, gold and pseudo-labeled ones.

    A training that was killed goes on where it was when the same command is given again, and ends with the
    same student.
    """
    from sammed.jobs.student_training import StudentTrainingRequest, train_on_set
    from sammed_cli.set_reports import problems_table, student_table

    result = train_on_set(StudentTrainingRequest(labeled_set=labeled_set, **request), context.obj.reporter)
    tables = [student_table(result), *([problems_table(result.problems)] if result.problems else [])]
    context.obj.answer(as_json, result.to_json(), *tables)
    if result.problems:
        context.exit(FAILED)


@student.command()
@click.argument("student_file", type=options.EXISTING_FILE, metavar="STUDENT")
@click.argument("inputs", type=options.PLACE, nargs=-1, metavar="IMAGE|FOLDER|'PATTERN'...")
@options.batch
@click.option(
    "--output",
    type=options.PLACE,
    help="File, or folder for several images.  [default: IMAGE_label.nii.gz beside each image]",
)
@options.label_format
@options.axis
@_DEVICE
@options.series
@options.fill_gaps
@options.codes
@options.overwrite
@options.json_output
@click.pass_context
def label(context: click.Context, /, as_json: bool, student_file: Path, **request: Any) -> None:
    """Label images, DICOM folders, all images of a folder and those below it, or what a pattern matches.

    Goes on after a bad image, and exits 1 if any failed. Of several images a manifest is kept: the same
    command again skips what is done and unchanged, and a second process takes other images.
    """
    if not (request["inputs"] or request["lists"]):
        raise click.UsageError("Give an image, a folder, a pattern in quotes or --list FILE.")
    from sammed.jobs.student_labeling import StudentLabelRequest, student_label
    from sammed_cli.reports import labeling_summary, labeling_table

    result = student_label(StudentLabelRequest(student=student_file, **request), context.obj.reporter)
    context.obj.answer(as_json, result.to_json(), labeling_table(result))
    context.obj.say(labeling_summary(result))
    if result.interrupted:
        context.exit(INTERRUPTED)
    if result.count("failed"):
        context.exit(FAILED)


@student.command()
@click.argument("student_file", type=options.EXISTING_FILE, metavar="STUDENT")
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--split",
    type=click.Choice(("train", "validation", "test")),
    default="test",
    show_default=True,
    help="Whose gold cases to measure on.",
)
@_DEVICE
@options.json_output
@click.pass_context
def evaluate(context: click.Context, /, as_json: bool, student_file: Path, **request: Any) -> None:
    """Measure a student on gold cases: Dice and IoU a label, mean and spread over the cases."""
    from sammed.jobs.student_evaluation import StudentEvaluationRequest, evaluate_student
    from sammed_cli.set_reports import evaluation_table, problems_table

    result = evaluate_student(StudentEvaluationRequest(student=student_file, **request), context.obj.reporter)
    tables = [evaluation_table(result), *([problems_table(result.problems)] if result.problems else [])]
    context.obj.answer(as_json, result.to_json(), *tables)
    if result.problems:
        context.exit(FAILED)
