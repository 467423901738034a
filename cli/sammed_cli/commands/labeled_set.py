"""`sammed set`: make a labeled set of a folder, split it, say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sammed_cli import options
from sammed_cli.assignments import names
from sammed_cli.failures import FAILED


@click.group("set", short_help="Make and split a labeled set.")
def labeled_set() -> None:
    """A labeled set is a folder with set.json: images, their labels, who made them, and the splits."""


@labeled_set.command()
@click.argument("source", type=options.EXISTING)
@click.argument("labels", type=options.EXISTING, required=False)
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder of the set.")
@click.option(
    "--images-only",
    is_flag=True,
    help="SOURCE holds images without labels; --name says which they might have.",
)
@click.option(
    "--marked-only", is_flag=True, help="Slices that hold no label were not looked at: they are unknown."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    callback=names,
    metavar="VALUE=NAME",
    help="Name of a label; may be repeated.",
)
@click.option("--fold", type=click.IntRange(min=0), help="Fold of a MONAI data list to validate on.")
@click.option(
    "--channel", type=click.IntRange(min=0), default=0, show_default=True, help="Channel of nnU-Net to take."
)
@options.axis
@options.window
@options.overwrite
@options.json_output
@click.pass_context
def make(context: click.Context, /, as_json: bool, **request: Any) -> None:
    """Make a set of SOURCE.

    That is a folder of images, those in the folders below it too, with masks of the same names in LABELS, or
    beside them as NAME_label or NAME_seg; a raw data set of nnU-Net; or a data list of MONAI (.json). Every
    case is opened and checked; bad ones are told and left out, and then the exit status is 1.
    """
    from sammed.jobs.set_making import SetMakingRequest
    from sammed.jobs.set_making import make as job
    from sammed_cli.set_reports import problems_table, set_table

    result = job(SetMakingRequest(**request), context.obj.reporter)
    tables = [set_table(result), *([problems_table(result.problems)] if result.problems else [])]
    context.obj.answer(as_json, result.to_json(), *tables)
    if result.problems:
        context.exit(FAILED)


@labeled_set.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option("--test", type=click.IntRange(min=0), required=True, help="Cases to test on.")
@click.option(
    "--validation", type=click.IntRange(min=0), default=0, show_default=True, help="Cases to validate on."
)
@click.option("--group", metavar="REGEX", help="Cases with the same match in their names stay together.")
@click.option(
    "--keep-gold",
    type=click.IntRange(min=1),
    metavar="N",
    help="Hide the labels of all but N training cases.",
)
@click.option(
    "--keep-slices",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep N annotated slices in each gold training volume.",
)
@options.seed
@click.option("--output", type=options.NEW_FOLDER, help="Folder of the new set.  [default: SET itself]")
@options.overwrite
@options.json_output
@click.pass_context
def split(context: click.Context, /, as_json: bool, labeled_set: Path, **request: Any) -> None:
    """Draw which cases are trained on, validated on and tested on; all slices of a volume stay together.

    Drawn anew are gold cases alone; all others, unlabeled test cases too, are then trained on.
    """
    from sammed.jobs.set_making import SetSplittingRequest
    from sammed.jobs.set_making import split as job
    from sammed_cli.set_reports import set_table

    result = job(SetSplittingRequest(labeled_set=labeled_set, **request))
    context.obj.answer(as_json, result.to_json(), set_table(result))


@labeled_set.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@options.json_output
@click.pass_context
def info(context: click.Context, /, as_json: bool, labeled_set: Path) -> None:
    """Say what is in a set, by its manifest."""
    from sammed.jobs.set_making import describe
    from sammed_cli.set_reports import set_table

    result = describe(labeled_set)
    context.obj.answer(as_json, result.to_json(), set_table(result))
