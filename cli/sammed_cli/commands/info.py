"""`sammed info`: what is in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.jobs.inspecting import Fact


@click.command(short_help="Say what is in a file.")
@click.argument("file", type=options.EXISTING)
@options.series
@options.fill_gaps
@options.axis
@options.flatten
@options.json_output
@click.pass_obj
def info(
    terminal: Terminal,
    file: Path,
    series: str | None,
    fill_gaps: bool,
    axis: int | None,
    flatten: bool,
    as_json: bool,
) -> None:
    """Say what is in FILE: a volume, a label volume, a DICOM folder or a skill."""
    from sammed.jobs.inspecting import inspect
    from sammed.reports.report import Table

    found = inspect(file, series=series, axis=axis, flatten=flatten, fill_gaps=fill_gaps)
    tables = [Table("", (str(file), found.kind), tuple((name, _text(fact)) for name, fact in found.facts))]
    if found.labels is not None:
        tables.append(found.labels)
    terminal.answer(as_json, found.to_json(), *tables)


def _text(fact: Fact) -> str:
    if isinstance(fact, tuple):
        return " x ".join(f"{part:g}" for part in fact)
    return f"{fact:g}" if isinstance(fact, float) else str(fact)
