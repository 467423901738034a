"""`sammed check`: whether a label volume lies on an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.jobs.check import CheckResult
    from sammed.reports.report import Table


@click.command(short_help="Check that labels lie on an image.")
@click.argument("labels", type=options.EXISTING)
@click.argument("image", type=options.EXISTING)
@options.series
@options.spacing
@options.flatten
@options.colors
@options.json_output
@click.pass_obj
def check(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Check whether LABELS lies on IMAGE: voxels, millimeters, orientation, names and values.

    The exit status is 0 if LABELS is on the grid of IMAGE or goes onto it voxel by voxel, else 1.
    """
    from sammed.jobs.check import CheckRequest
    from sammed.jobs.check import check as job

    result = job(CheckRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, *_tables(result), failed=not result.fits)


def _tables(result: CheckResult) -> tuple[Table, Table]:
    from sammed.reports.report import Table

    ours, image = result.labels, result.image
    grids = (
        ("voxels", _times(ours.shape), _times(image.shape)),
        ("spacing mm", _times(ours.spacing_mm), _times(image.spacing_mm)),
        ("first voxel, RAS mm", _places(ours.origin_ras_mm), _places(image.origin_ras_mm)),
        ("axes toward", ours.orientation, image.orientation),
    )
    labels = tuple(
        (str(each.label.value), each.label.name, each.voxels, each.outside) for each in result.found
    )
    return Table("", ("", "Labels", "Image"), grids), Table(
        "", ("Value", "Name", "Voxels", "Outside"), labels
    )


def _times(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.6g}" for number in numbers)


def _places(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)
