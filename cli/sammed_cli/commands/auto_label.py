"""`sammed auto-label`: label volumes with a skill, with no prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sammed_cli import options
from sammed_cli.failures import FAILED, INTERRUPTED


@click.command("auto-label", short_help="Label volumes or folders with a skill.")
@click.argument("inputs", type=options.PLACE, nargs=-1, metavar="IMAGE|FOLDER|'PATTERN'...")
@options.batch
@options.skill
@click.option(
    "--generator",
    type=click.Choice(("sap", "propagation", "classification")),
    default="sap",
    show_default=True,
    help="What writes the prompts for slices that nobody marked.",
)
@click.option(
    "--output",
    type=options.PLACE,
    help="File, or folder for several images.  [default: IMAGE_label.nii.gz beside each image]",
)
@options.label_format
@options.encoding_of_skill
@options.series
@options.fill_gaps
@options.codes
@options.overwrite
@options.json_output
@click.pass_context
def auto_label(context: click.Context, /, as_json: bool, inputs: tuple[Path, ...], **settings: Any) -> None:
    """Label volumes, DICOM folders, all volumes of a folder and those below it, or what a pattern matches.

    Goes on after a bad volume, and exits 1 if any failed. Of several volumes a manifest is kept: the same
    command again passes what is done and unchanged, and a second process takes other volumes.
    """
    if not (inputs or settings["lists"]):
        raise click.UsageError("Give an image, a folder, a pattern in quotes or --list FILE.")
    from sammed.jobs.auto_label import AutoLabelRequest
    from sammed.jobs.auto_label import auto_label as job
    from sammed_cli.reports import labeling_summary, labeling_table

    result = job(AutoLabelRequest(inputs=inputs, **settings), context.obj.reporter)
    context.obj.answer(as_json, result.to_json(), labeling_table(result))
    context.obj.say(labeling_summary(result))
    if result.interrupted:
        context.exit(INTERRUPTED)
    if result.count("failed"):
        context.exit(FAILED)
