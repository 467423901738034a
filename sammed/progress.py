"""How long work tells what it is doing, without knowing who listens: a terminal, a test, nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work with a known number of steps, while it lasts."""

    def advance(self, steps: int = 1) -> None:
        """Say that so many more steps are done."""


class Reporter(Protocol):
    """What long work reports to. Tasks may lie inside one another, as slices inside a folder of volumes."""

    def message(self, text: str) -> None:
        """Say one sentence that a person should read."""

    def task(self, name: str, total: int | None) -> AbstractContextManager[Task]:
        """Open a task of `total` steps, None while their number isn't known; it ends with the block."""


class Silent:
    """The reporter to which nobody listens."""

    def message(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:  # noqa: ARG002
        """Show nothing."""
        yield _SilentTask()


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        pass
