"""`sammed assist-evaluate`: simulated users of the plain backbone and of a skill."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal
from sammed_cli.values import whole_numbers


@click.command("assist-evaluate", short_help="Measure the Dice of simulated users.")
@click.argument("image", type=options.EXISTING)
@click.argument("labels", type=options.EXISTING)
@click.option("--skill", type=options.EXISTING_FILE, help="A skill to compare with the plain backbone.")
@click.option(
    "--points",
    type=whole_numbers,
    metavar="N,N",
    default="1,3,5,10",
    show_default=True,
    help="Numbers of points of each sign per object, or none.",
)
@click.option("--boxes/--no-boxes", default=True, show_default=True, help="Jittered boxes.")
@click.option(
    "--composite/--no-composite",
    default=True,
    show_default=True,
    help="A box, then points where the mask is wrong (paper, 4.2).",
)
@click.option(
    "--seeds",
    type=whole_numbers,
    metavar="N,N",
    default="0,1,2",
    show_default=True,
    help="Random seeds; scores are means over them.",
)
@options.label
@options.exclude_slices
@options.encoding
@options.axis
@options.window
@options.series
@options.spacing
@options.flatten
@options.colors
@options.resample
@options.json_output
@click.pass_obj
def assist_evaluate(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Measure the Dice of simulated users on IMAGE, with LABELS as the truth."""
    from sammed.jobs.assist_evaluate import AssistEvaluateRequest
    from sammed.jobs.assist_evaluate import assist_evaluate as job
    from sammed_cli.reports import assist_evaluate_table

    result = job(AssistEvaluateRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, assist_evaluate_table(result))
