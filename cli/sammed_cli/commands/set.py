"""`sammed set`: make, split and describe labeled sets."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.group("set", short_help="Make, split and describe labeled sets.")
def labeled_set() -> None:
    """A labeled set is a folder with set.json: images, their labels, who made the labels, and the splits."""


@labeled_set.command()
@click.argument("source", type=options.EXISTING)
@click.argument("labels", type=options.EXISTING, required=False)
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder of the set.")
@click.option(
    "--images-only",
    is_flag=True,
    help="SOURCE contains images without labels; --name lists their possible labels.",
)
@click.option("--marked-only", is_flag=True, help="Slices without a label are unknown, not empty.")
@options.names
@click.option("--fold", type=click.IntRange(min=0), help="Fold of a MONAI data list for validation.")
@click.option(
    "--channel", type=click.IntRange(min=0), default=0, show_default=True, help="nnU-Net channel to use."
)
@options.axis
@options.window
@options.flatten
@options.resample
@options.overwrite
@options.json_output
@click.pass_obj
def make(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Make a set from SOURCE.

    SOURCE is a folder of images with its subfolders, a raw data set of nnU-Net, or a MONAI data list (.json).
    The masks of a folder are in LABELS under the same names, or beside the images as NAME_label or NAME_seg.
    Every case is opened and checked. Bad cases are reported and left out; the exit status is then 1.
    """
    from sammed.jobs.set.make import SetMakeRequest, set_make
    from sammed_cli.set_reports import problem_tables, set_table

    result = set_make(SetMakeRequest(**settings), terminal.reporter)
    tables = set_table(result), *problem_tables(result.problems)
    terminal.finish(as_json, result, *tables, failed=bool(result.problems))


@labeled_set.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option("--test", type=click.IntRange(min=0), required=True, help="Number of test cases.")
@click.option(
    "--validation",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of validation cases.",
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
@click.pass_obj
def split(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Choose training, validation and test cases at random; the slices of a volume stay together.

    Only gold cases are chosen for validation and test; all others become training cases.
    """
    from sammed.jobs.set.split import SetSplitRequest, set_split
    from sammed_cli.set_reports import set_table

    result = set_split(SetSplitRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, set_table(result))


@labeled_set.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@options.json_output
@click.pass_obj
def info(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Describe a set from its manifest."""
    from sammed.jobs.set.info import SetInfoRequest, set_info
    from sammed_cli.set_reports import set_table

    result = set_info(SetInfoRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, set_table(result))
