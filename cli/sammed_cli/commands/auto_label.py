"""`sammed auto-label`: label volumes with a skill, without prompts."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command("auto-label", short_help="Label volumes or folders with a skill.")
@options.batch_inputs
@options.skill
@click.option(
    "--generator",
    type=click.Choice(("sap", "propagation", "classification")),
    default="sap",
    show_default=True,
    help="What makes the prompts for slices that are not annotated.",
)
@options.batch_output
@options.encoding_of_skill
@options.series
@options.codes
@options.overwrite
@options.json_output
@click.pass_obj
def auto_label(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Label volumes, DICOM folders, folders of either with their subfolders, or files that match a pattern.

    A bad volume is reported and skipped; the exit status is then 1. For several volumes the command keeps a
    manifest: run again, it skips finished and unchanged volumes, and a second process takes other volumes.
    """
    from sammed.jobs.auto_label import AutoLabelRequest
    from sammed.jobs.auto_label import auto_label as job
    from sammed_cli.reports import show_labeling

    show_labeling(terminal, as_json, job(AutoLabelRequest(**settings), terminal.reporter))
