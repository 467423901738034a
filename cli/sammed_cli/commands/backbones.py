"""`sammed backbones`: which frozen SAMs there are, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sammed.backbones.registry import BACKBONES
from sammed_cli import options
from sammed_cli.failures import FAILED
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.jobs.weights_state import WeightsState
    from sammed.reports.report import Table

NAME = click.Choice(tuple(BACKBONES))


@click.group(short_help="List, fetch and verify frozen SAMs.")
def backbones() -> None:
    """List backbones, fetch their weights, verify them."""


@backbones.command("list")
@options.json_output
@click.pass_obj
def list_backbones(terminal: Terminal, /, as_json: bool) -> None:
    """List the backbones and where their weights lie."""
    from sammed.jobs.weights_state import find_weights

    states = find_weights()
    rows = [(s.name, s.status, str(s.path or ""), BACKBONES[s.name].description) for s in states]
    _answer(terminal, as_json, states, _table(*rows))


@backbones.command()
@click.argument("name", type=NAME)
@click.option("--folder", type=options.NEW_FOLDER, help="Where to put the file.  [default: the user's own]")
@options.json_output
@click.pass_obj
def fetch(terminal: Terminal, name: str, folder: Path | None, as_json: bool) -> None:
    """Download the weights of a backbone; what broke off goes on where it stopped."""
    from sammed.backbones.download import fetch as download
    from sammed_cli.progress import download_bar

    with download_bar(terminal.console, name) as progress:
        path = download(name, folder, progress=progress)
    terminal.say(f"The weights of {name} are at {path}.")
    terminal.answer(as_json, {"backbone": name, "path": str(path)})


@backbones.command()
@click.argument("names", type=NAME, nargs=-1)
@options.json_output
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check files of weights against the published sha256; exit 1 if one is damaged, or named and missing."""
    from sammed.jobs.weights_state import verify_weights

    states = verify_weights(names)
    rows = [(s.name, s.status, str(s.path or ""), _problem(s, names)) for s in states]
    _answer(context.obj, as_json, states, _table(*rows))
    if any(state.status == "damaged" or (names and state.status == "missing") for state in states):
        context.exit(FAILED)


def _problem(state: WeightsState, names: tuple[str, ...]) -> str:
    """What is wrong; that weights are missing is only said of those that were named."""
    return state.problem or "" if state.status == "damaged" or state.name in names else ""


def _answer(terminal: Terminal, as_json: bool, states: tuple[WeightsState, ...], table: Table) -> None:
    terminal.answer(as_json, {"backbones": [state.to_json() for state in states]}, table)


def _table(*rows: tuple[str, ...]) -> Table:
    from sammed.reports.report import Table

    return Table("", ("Backbone", "Weights", "File", ""), rows)
