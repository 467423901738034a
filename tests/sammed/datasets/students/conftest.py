"""Pictures of bright discs, and a student small enough to learn them in seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from sammed.datasets.labeled_sets.pictures import Picture
from sammed.datasets.students.config import StudentConfig
from sammed.progress import Silent, Task
from sammed_volumes.labels import Label

DISC = Label(3, "disc", (255, 0, 0))


def make_pictures(count: int, seed: int = 0) -> list[Picture]:
    """Discs on noise, 40 x 48 pixels, labeled 3."""
    rng = np.random.default_rng(seed)
    return [_picture(index, rng) for index in range(count)]


def _picture(index: int, rng: np.random.Generator) -> Picture:
    y, x = np.mgrid[:40, :48]
    center, radius = rng.integers(12, 28, 2), rng.integers(6, 10)
    disc = (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2
    gray = np.clip(0.3 + 0.4 * disc + rng.normal(0, 0.04, disc.shape), 0, 1).astype(np.float32)
    return Picture(f"disc{index}", 0, gray[..., None], disc.astype(np.uint8) * 3)


@pytest.fixture
def pictures() -> Callable[..., list[Picture]]:
    """`pictures(count, seed=0)`."""
    return make_pictures


@pytest.fixture
def tiny_config() -> Callable[..., StudentConfig]:
    """`tiny_config(steps=40, ...)`: a UNet with few channels for pictures of 32 pixels."""

    def make(**settings: Any) -> StudentConfig:
        usual = {
            "network": "unet",
            "size_px": 32,
            "features": (8, 8, 16, 16, 32, 8),
            "optimizer": "adam",
            "learning_rate": 1e-2,
            "steps": 40,
            "device": "cpu",
        }
        return StudentConfig(**{**usual, **settings})

    return make


class StopsAfter(Silent):
    """A reporter that interrupts when so many steps in all are done."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0 and steps:
            raise KeyboardInterrupt


@pytest.fixture
def stops_after() -> type[StopsAfter]:
    """`stops_after(steps)`: a reporter that interrupts there."""
    return StopsAfter
