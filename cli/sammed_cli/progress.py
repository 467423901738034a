"""Progress on a terminal: bars on stderr, nothing where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


class TerminalReporter:
    """A `sammed.progress.Reporter` that draws bars; a task inside another goes away when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None

    def message(self, text: str) -> None:
        """Print one sentence, above the bars."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """Show a bar while the block lasts."""
        if not self._console.is_terminal:
            with Silent().task(name, total) as silent:
                yield silent
        elif self._bars is not None:
            yield from self._inner(self._bars, name, total)
        else:
            yield from self._outermost(name, total)

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
    """Show a download; the block gets what hears how many bytes are there, and how many there will be."""
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bars(console, *columns, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=None)

        def hear(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield hear


def _bars(console: Console, *columns: ProgressColumn, disable: bool = False) -> Progress:
    text = TextColumn("{task.description}", markup=False)
    return Progress(SpinnerColumn(), text, BarColumn(), *columns, console=console, disable=disable)


@dataclass(frozen=True, slots=True)
class _Bar:
    bars: Progress
    task: TaskID

    def advance(self, steps: int = 1) -> None:
        self.bars.advance(self.task, steps)
