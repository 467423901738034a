"""`sammed assist-label`: masks from points and boxes."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command("assist-label", short_help="Make masks from points and boxes.")
@click.argument("image", type=options.EXISTING)
@click.option("--prompts", type=options.EXISTING_FILE, help="JSON file of prompts, as shown above.")
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="LABEL:I,J,K,+|-",
    help="A point inside (+) or outside (-) a structure; may be repeated.",
)
@click.option(
    "--box",
    "boxes",
    multiple=True,
    metavar="LABEL:I,J,K,I,J,K",
    help="A box on one slice, its lower corner first; may be repeated.",
)
@click.option(
    "--frame",
    type=click.Choice(("voxel", "ras_mm")),
    default="voxel",
    show_default=True,
    help="Coordinates of --point and --box: array indices, or millimeters to right, anterior, superior.",
)
@click.option("--skill", type=options.EXISTING_FILE, help="Skill to use.  [default: the plain backbone]")
@options.encoding
@options.axis
@options.window
@options.series
@options.spacing
@options.codes
@options.image_output
@options.overwrite
@options.json_output
@click.pass_obj
def assist_label(
    terminal: Terminal,
    /,
    as_json: bool,
    points: tuple[str, ...],
    boxes: tuple[str, ...],
    **settings: Any,
) -> None:
    """Make masks of IMAGE from points and boxes.

    Each box is one object; a point belongs to the box that contains it. LABEL: may be left out if there is
    only one label. A file of prompts:

    \b
    {"frame": "voxel",
     "prompts": [
       {"label": "liver", "slice": 12, "points": [[40, 52, "+"], [80, 30, "-"]]},
       {"label": "kidneys", "boxes": [[20, 60, 12, 38, 81, 12], [84, 58, 12, 103, 80, 12]]}]}
    """  # noqa: D301 - click needs the control character
    from sammed.jobs.assist_label import AssistLabelRequest
    from sammed.jobs.assist_label import assist_label as job
    from sammed.prompts.marks import Mark, parse_box, parse_point
    from sammed_cli.reports import assist_label_table

    marks: list[Mark] = [*map(parse_point, points), *map(parse_box, boxes)]
    result = job(AssistLabelRequest(marks=tuple(marks), **settings), terminal.reporter)
    terminal.finish(as_json, result, assist_label_table(result))
