"""`sammed interpolate`: label an annotated volume in seconds, without learning."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command(short_help="Label the slices between annotated ones, in seconds.")
@click.argument("image", type=options.EXISTING)
@click.argument("labels", type=options.EXISTING)
@options.annotated_slices
@options.label
@click.option(
    "--method",
    type=click.Choice(("mean", "flow", "random-walker")),
    default="mean",
    show_default=True,
    help="Outlines carried along the optical flow, the random walker, or the weighted mean of both.",
)
@options.axis
@options.window
@options.seed
@options.series
@options.codes
@options.spacing
@options.flatten
@options.colors
@options.resample
@options.image_output
@options.overwrite
@options.json_output
@click.pass_obj
def interpolate(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Label all slices of IMAGE from the annotated slices of LABELS, without a backbone and without learning.

    Annotated slices keep their labels. Beyond the outermost ones little is known: annotate an empty slice
    just beyond each end of the object, or name it with --empty-slices.
    """
    from sammed.jobs.interpolate import InterpolateRequest
    from sammed.jobs.interpolate import interpolate as job
    from sammed_cli.reports import interpolate_tables

    result = job(InterpolateRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, *interpolate_tables(result))
