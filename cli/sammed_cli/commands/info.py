"""`sammed info`: what a file contains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.jobs.info import Fact


@click.command(short_help="Describe a file.")
@click.argument("file", type=options.EXISTING)
@options.series
@options.spacing
@options.axis
@options.flatten
@options.colors
@options.json_output
@click.pass_obj
def info(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Describe FILE: a volume, a label volume, a DICOM folder or a skill."""
    from sammed.jobs.info import InfoRequest
    from sammed.jobs.info import info as job
    from sammed.reports.report import Table

    found = job(InfoRequest(**settings), terminal.reporter)
    facts = tuple((name, _text(fact)) for name, fact in found.facts)
    tables = [Table("", (str(found.path), found.kind), facts)]
    if found.labels is not None:
        tables.append(found.labels)
    terminal.finish(as_json, found, *tables)


def _text(fact: Fact) -> str:
    if isinstance(fact, tuple):
        return " x ".join(f"{part:g}" for part in fact)
    return f"{fact:g}" if isinstance(fact, float) else str(fact)
