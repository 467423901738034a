"""Progress on stderr: bars on a terminal, a line now and then in a file or a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sammed.progress import Silent, Task

LINE_EVERY_S = 30.0  # in a file or a pipe


class TerminalReporter:
    """A `sammed.progress.Reporter` that draws bars; the bar of an inner task disappears at its end.

    If stderr is not a terminal, a task prints one line at its start and one every half minute; an inner task
    prints none.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._in_lines = False

    def message(self, text: str) -> None:
        """Print one sentence, above the bars."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """Show a bar during the block."""
        if self._in_lines:
            with Silent().task(name, total) as silent:
                yield silent
        elif not self._console.is_terminal:
            yield from self._line(name, total)
        elif self._bars is not None:
            yield from self._inner(self._bars, name, total)
        else:
            yield from self._outermost(name, total)

    def _line(self, name: str, total: int | None) -> Iterator[Task]:
        self._in_lines = True
        self.message(f"{name} ...")
        try:
            yield _Lines(self, name, total)
        finally:
            self._in_lines = False

    def _outermost(self, name: str, total: int | None) -> Iterator[Task]:
        with _bars(self._console, MofNCompleteColumn(), TimeElapsedColumn()) as bars:
            self._bars = bars
            try:
                yield _Bar(bars, bars.add_task(name, total=total))
            finally:
                self._bars = None

    @staticmethod
    def _inner(bars: Progress, name: str, total: int | None) -> Iterator[Task]:
        task = bars.add_task(f"  {name}", total=total)
        try:
            yield _Bar(bars, task)
        finally:
            bars.remove_task(task)


@contextmanager
def download_bar(console: Console, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a download; the block gets a function to call with the bytes so far and in total."""
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bars(console, *columns, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=None)

        def update(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield update


def _bars(console: Console, *columns: ProgressColumn, disable: bool = False) -> Progress:
    text = TextColumn("{task.description}", markup=False)
    return Progress(SpinnerColumn(), text, BarColumn(), *columns, console=console, disable=disable)


@dataclass(frozen=True, slots=True)
class _Bar:
    bars: Progress
    task: TaskID

    def advance(self, steps: int = 1) -> None:
        self.bars.advance(self.task, steps)


@dataclass(slots=True)
class _Lines:
    """Prints the progress of a task, but not often."""

    reporter: TerminalReporter
    name: str
    total: int | None
    done: int = 0
    printed_s: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.printed_s >= LINE_EVERY_S:
            self.printed_s = now
            self.reporter.message(f"{self.name}: {self.done}{f' of {self.total}' if self.total else ''}")
