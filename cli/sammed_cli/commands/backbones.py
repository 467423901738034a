"""`sammed backbones`: the frozen SAMs and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sammed.backbones.registry import BACKBONES
from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.reports.report import Table

NAME = click.Choice(tuple(BACKBONES))


@click.group(short_help="List, fetch and verify frozen SAMs.")
def backbones() -> None:
    """List backbones, download their weights, verify them."""


@backbones.command("list")
@options.json_output
@click.pass_obj
def list_backbones(terminal: Terminal, /, as_json: bool) -> None:
    """List the backbones and the files of their weights."""
    from sammed.jobs.backbones import BackbonesListRequest, backbones_list

    result = backbones_list(BackbonesListRequest(), terminal.reporter)
    rows = [(s.name, s.status, str(s.path or ""), BACKBONES[s.name].description) for s in result.states]
    terminal.finish(as_json, result, _table(*rows))


@backbones.command()
@click.argument("name", type=NAME)
@click.option("--folder", type=options.NEW_FOLDER, help="Folder for the file.  [default: the user's own]")
@options.json_output
@click.pass_obj
def fetch(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Download the weights of a backbone; an interrupted download resumes."""
    from sammed.jobs.backbones import BackbonesFetchRequest, backbones_fetch
    from sammed_cli.progress import download_bar

    request = BackbonesFetchRequest(**settings)
    with download_bar(terminal.console, request.name) as progress:
        result = backbones_fetch(request, terminal.reporter, progress)
    summary = f"The weights of {result.backbone} are at {result.path}."
    terminal.finish(as_json, result, summary=summary)


@backbones.command()
@click.argument("names", type=NAME, nargs=-1)
@options.json_output
@click.pass_obj
def verify(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Check files of weights against the published sha256; exit 1 if one is damaged, or named and missing."""
    from sammed.jobs.backbones import BackbonesVerifyRequest, backbones_verify

    result = backbones_verify(BackbonesVerifyRequest(**settings), terminal.reporter)
    rows = [(s.name, s.status, str(s.path or ""), result.problem(s) or "") for s in result.states]
    terminal.finish(as_json, result, _table(*rows), failed=not result.is_good)


def _table(*rows: tuple[str, ...]) -> Table:
    from sammed.reports.report import Table

    return Table("", ("Backbone", "Weights", "File", ""), rows)
