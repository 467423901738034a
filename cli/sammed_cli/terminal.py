"""The terminal: tables, messages and progress go to stderr, the one JSON object to stdout."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sammed.reports.report import Cell, Table
    from sammed_cli.progress import TerminalReporter

# Libraries that print through a handler of their own.
_NOISY_LOGGERS = ("nibabel.global",)
_PIPE_WIDTH = 10_000  # nothing is wrapped in a file or a pipe


class Terminal:
    """Where a command shows what it does and what came of it; rich is imported when something is shown."""

    @cached_property
    def console(self) -> Console:
        """The console on stderr; names of files are shown as they are, not as rich's markup."""
        from rich.console import Console

        console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        if not console.is_terminal:
            console.width = _PIPE_WIDTH
        return console

    @cached_property
    def reporter(self) -> TerminalReporter:
        """What a job reports its progress to."""
        from sammed_cli.progress import TerminalReporter

        return TerminalReporter(self.console)

    def answer(self, as_json: bool, data: Mapping[str, object], *tables: Table) -> None:
        """Give the result: one JSON object on stdout, or tables for a person on stderr."""
        if as_json:
            print_json(data)
            return
        for place, table in enumerate(tables):
            if place:
                self.console.print()
            self._show(table)

    def say(self, text: str) -> None:
        """Say one line to a person."""
        self.console.print(text, soft_wrap=True)

    def _show(self, table: Table) -> None:
        from rich import box
        from rich.table import Table as RichTable

        shown = RichTable(
            title=table.title or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False
        )
        for place, header in enumerate(table.headers):
            is_number = all(not isinstance(row[place], str) for row in table.rows)
            shown.add_column(header, justify="right" if is_number else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*map(_text, row))
        self.console.print(shown)


def print_json(data: Mapping[str, object]) -> None:
    """Print one object on stdout."""
    click.echo(json.dumps(data, allow_nan=False))


@contextmanager
def only_our_messages(terminal: Terminal) -> Iterator[None]:
    """Show what the logger `sammed` says; keep from people what libraries warn and log."""
    ours, root, handler, nothing = (
        logging.getLogger("sammed"),
        logging.getLogger(),
        _TerminalHandler(terminal),
        logging.NullHandler(),
    )
    level = ours.level
    with warnings.catch_warnings(), ExitStack() as undo:
        warnings.simplefilter("ignore")
        undo.callback(ours.setLevel, level)
        undo.callback(ours.removeHandler, handler)
        undo.callback(root.removeHandler, nothing)
        for name in _NOISY_LOGGERS:
            noisy = logging.getLogger(name)
            undo.callback(setattr, noisy, "disabled", noisy.disabled)
            noisy.disabled = True
        ours.setLevel(logging.INFO)
        ours.addHandler(handler)
        root.addHandler(nothing)  # without any handler Python itself prints warnings
        yield


class _TerminalHandler(logging.Handler):
    """Says each sentence once, however often a command comes by it."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        grave = record.levelno >= logging.WARNING
        text = f"Warning: {record.getMessage()}" if grave else record.getMessage()
        if text not in self._said:
            self._said.add(text)
            self._terminal.say(text)


def _text(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "\N{EN DASH}"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
