"""`sammed convert`: a label volume in another format or orientation."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command(short_help="Convert a label volume.")
@click.argument("source", type=options.EXISTING, metavar="IN")
@click.argument("output", type=options.NEW_FILE, metavar="OUT")
@click.option("--like", type=options.EXISTING, metavar="IMAGE", help="Put the labels on the image's grid.")
@click.option(
    "--orientation",
    metavar="RAS|LPS|...",
    help="Store the array with its axes toward these ends of the patient.",
)
@options.series
@options.codes
@options.spacing
@options.flatten
@options.colors
@options.resample
@options.overwrite
@options.json_output
@click.pass_obj
def convert(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Convert the label volume IN to OUT, whose suffix names the format.

    Every voxel keeps its label and its place, and the labels keep their names and colors. What can't be
    converted exactly is refused, unless --resample allows interpolation.
    """
    from sammed.jobs.convert import ConvertRequest
    from sammed.jobs.convert import convert as job
    from sammed.reports.report import Table

    result = job(ConvertRequest(**settings), terminal.reporter)
    facts = (
        ("written", ", ".join(str(path) for path in result.files)),
        ("shape", " x ".join(map(str, result.shape))),
        ("orientation", result.orientation),
        ("labels", ", ".join(result.labels)),
        ("resampled", "yes" if result.resampled else "no"),
    )
    terminal.finish(as_json, result, Table("", ("Labels", ""), facts))
