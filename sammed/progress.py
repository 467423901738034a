"""Progress: how long work reports what it does, to a terminal, to a test, or to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One running piece of work, which advances in steps."""

    def advance(self, steps: int = 1) -> None:
        """Report that this many more steps are done."""


class Reporter(Protocol):
    """The receiver of messages and tasks. Tasks may be nested, as slices in a folder of volumes are."""

    def message(self, text: str) -> None:
        """Report one sentence for the user."""

    def task(self, name: str, total: int | None) -> AbstractContextManager[Task]:
        """Open a task of `total` steps (None: unknown); it ends with the block."""


class Silent:
    """A reporter that discards everything."""

    def message(self, text: str) -> None:
        """Do nothing."""

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:  # noqa: ARG002
        """Return a task that shows nothing."""
        yield _SilentTask()


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        pass
