"""The place of a worker: the threads and the graphics card that it may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

SLOT, GPU = "sammed", "GPU"  # a worker's resources: one volume at a time; a graphics card

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker may use: a number of threads, and the index of its graphics card if it has one."""

    threads: int
    gpu: int | None = None


Opener: TypeAlias = Callable[[Place], Callable[[Item], Result]]
"""Called once on each worker; the function that it returns is called for each volume."""


def cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
