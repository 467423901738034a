"""Times of two sides that are compared: a busy machine slows both, and their ratio stays."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from bench.page import spread

Work: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one side and of the other, measured in turns."""

    seconds: tuple[float, ...]
    base_seconds: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The mean ratio."""
        return float(np.mean(self._ratios))

    @property
    def text(self) -> str:
        """The ratio, mean ± standard deviation."""
        return spread(self._ratios, ".2f")

    @property
    def _ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.seconds, self.base_seconds, strict=True)]


def compare(work: Work, base: Work, repeats: int, units: float = 1.0) -> Times:
    """Time both sides in turns; the base counts `units` times."""
    taken = [(seconds_of(work), seconds_of(base) * units) for _ in range(repeats)]
    return Times(tuple(first for first, _ in taken), tuple(second for _, second in taken))


def seconds_of(work: Work) -> float:
    """Return the seconds of wall clock that a call takes, including what a GPU has yet to finish."""
    _wait_for_gpu()
    started = time.perf_counter()
    work()
    _wait_for_gpu()
    return time.perf_counter() - started


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
