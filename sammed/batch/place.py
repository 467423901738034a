"""The place of a worker: the threads and the graphics card that it may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

SLOT, GPU = "sammed", "GPU"  # resources of a worker: one volume at a time; a graphics card

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker may use: so many threads, and of several graphics cards the one with this index."""

    threads: int
    gpu: int | None = None


Opener: TypeAlias = Callable[[Place], Callable[[Item], Result]]
"""Called once on every worker; what it returns is called for every volume there. Both travel by pickle."""


def cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
