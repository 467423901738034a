"""`sammed assist-label`: masks from a person's points and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal
from sammed_cli.values import place

if TYPE_CHECKING:
    from sammed.jobs.placed_prompts import PlacedPrompt, Position

LABEL_AND_PLACE = (str, place)


@click.command("assist-label", short_help="Masks from points and boxes.")
@click.argument("image", type=options.EXISTING)
@click.option("--prompts", type=options.EXISTING_FILE, help="JSON file of prompts, see below.")
@click.option(
    "--point",
    "points",
    type=LABEL_AND_PLACE,
    multiple=True,
    metavar="LABEL I,J,K",
    help="A point on the structure. May be repeated.",
)
@click.option(
    "--background-point",
    "background_points",
    type=LABEL_AND_PLACE,
    multiple=True,
    metavar="LABEL I,J,K",
    help="A point beside the structure. May be repeated.",
)
@click.option(
    "--box",
    "boxes",
    type=(str, place, place),
    multiple=True,
    metavar="LABEL I,J,K I,J,K",
    help="A box on one slice: corner of least and of greatest coordinates. May be repeated.",
)
@click.option(
    "--unit",
    type=click.Choice(("voxel", "mm")),
    default="voxel",
    show_default=True,
    help="What the positions in these options are: voxel indices or RAS millimetres.",
)
@click.option("--skill", type=options.EXISTING_FILE, help="A skill.  [default: the plain backbone]")
@options.backbone
@options.machine
@options.axis
@options.window
@options.series
@click.option(
    "--output", type=options.NEW_FILE, help="Label volume to write.  [default: IMAGE_label beside it]"
)
@options.label_format
@options.overwrite
@options.json_output
@click.pass_obj
def assist_label(
    terminal: Terminal,
    /,
    as_json: bool,
    points: list[tuple[str, Position]],
    background_points: list[tuple[str, Position]],
    boxes: list[tuple[str, Position, Position]],
    prompts: Path | None,
    **settings: Any,
) -> None:
    r"""Make masks of IMAGE from a person's points and boxes.

    What the options say of one label on one slice belongs to one object. In a JSON file each entry is an
    object of its own, on one slice:

    \b
    {"unit": "voxel",
     "prompts": [{"label": "liver",
                  "points": [[120, 88, 40]], "background_points": [[60, 20, 40]],
                  "box": [[90, 60, 40], [150, 120, 40]]}]}
    """
    from sammed.jobs.prompting import label_prompts

    from sammed.jobs.requests import PromptingRequest
    from sammed_cli.reports import prompting_table

    placed = _placed(points, background_points, boxes)
    request = PromptingRequest(prompts=prompts, placed=placed, **settings)
    result = label_prompts(request, terminal.reporter)
    terminal.answer(as_json, result.to_json(), prompting_table(result))


def _placed(
    points: list[tuple[str, Position]],
    background_points: list[tuple[str, Position]],
    boxes: list[tuple[str, Position, Position]],
) -> tuple[PlacedPrompt, ...]:
    from sammed.jobs.placed_prompts import PlacedPrompt

    return (
        *(PlacedPrompt(label, points=(at,)) for label, at in points),
        *(PlacedPrompt(label, background_points=(at,)) for label, at in background_points),
        *(PlacedPrompt(label, box=(least, greatest)) for label, least, greatest in boxes),
    )
