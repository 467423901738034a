"""The terminal: tables, messages and progress go to stderr, the JSON object to stdout."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import click

from sammed_cli.failures import FAILED, INTERRUPTED, INTERRUPTION

if TYPE_CHECKING:
    from rich.console import Console

    from sammed.reports.report import Cell, Table
    from sammed_cli.progress import TerminalReporter

# Loggers with their own handlers, which print.
_NOISY_LOGGERS = ("nibabel.global",)
_PIPE_WIDTH = 10_000  # nothing is wrapped in a file or a pipe


class Result(Protocol):
    """What a job returns."""

    def to_json(self) -> dict[str, object]:
        """Return the object that --json prints."""


class Terminal:
    """Where a command shows its progress and its result; imports rich at the first output."""

    @cached_property
    def console(self) -> Console:
        """The console on stderr; it shows file names as they are, not as markup."""
        from rich.console import Console

        console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        if not console.is_terminal:
            console.width = _PIPE_WIDTH
        return console

    @cached_property
    def reporter(self) -> TerminalReporter:
        """The reporter for a job's progress."""
        from sammed_cli.progress import TerminalReporter

        return TerminalReporter(self.console)

    def finish(
        self,
        as_json: bool,
        result: Result,
        *tables: Table,
        summary: str = "",
        failed: bool = False,
        interrupted: bool = False,
    ) -> None:
        """Show a result and end the command; the exit status is 130 after Ctrl-C, 1 after a failure, or 0.

        The result is one JSON object on stdout, or tables on stderr; the summary always goes to stderr.
        """
        if as_json:
            print_json(result.to_json())
        else:
            self._show_all(tables)
        if summary:
            self.say(summary)
        if interrupted:
            self.say(f"Error: {INTERRUPTION}")
        if interrupted or failed:
            raise click.exceptions.Exit(INTERRUPTED if interrupted else FAILED)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, soft_wrap=True)

    def _show_all(self, tables: Sequence[Table]) -> None:
        for place, table in enumerate(tables):
            if place:
                self.console.print()
            self._show(table)

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
    """Print one JSON object on stdout."""
    click.echo(json.dumps(data, allow_nan=False))


@contextmanager
def only_our_messages(terminal: Terminal) -> Iterator[None]:
    """Show the messages of the logger `sammed`; hide the warnings and messages of libraries."""
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
        root.addHandler(nothing)  # without a handler Python prints warnings itself
        yield


class _TerminalHandler(logging.Handler):
    """Prints each message once, even if it is logged again."""

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
