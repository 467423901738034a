"""Batches: what each step of training sees, decided by the config's seed and the step's number alone.

So a training that goes on after a break sees what it would have seen without it; there is no random state
to be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from sammed.datasets.resumable_training import shuffled_row
from sammed.datasets.students.augmentation import Augmentation
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.samples import IGNORED, Sample

_WINDOW, _AUGMENTATION = 2, 3  # what a seed is for; 1 is `shuffled_row`


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images 0..1, classes (IGNORED among them) and weights."""

    images: Float[Tensor, "B C ..."]
    classes: UInt8[Tensor, "B ..."]
    weights: Float[Tensor, " B"]


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """All batches of a training; `total` is how many steps there are."""

    samples: Sequence[Sample]
    config: StudentConfig
    augmentation: Augmentation | None

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        if self.config.steps is not None:
            return self.config.steps
        return -(-self.config.epochs * len(self.samples) // self.config.batch_size)

    def epoch(self, step: int) -> int:
        """How often every sample has been seen when so many steps are done."""
        return step * self.config.batch_size // len(self.samples)

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        size = self.config.batch_size
        places = range(step * size, (step + 1) * size)
        drawn = [self._drawn(place) for place in places]
        weights = torch.tensor([self.samples[self._index(place)].weight for place in places])
        return Batch(
            torch.stack([each[0] for each in drawn]), torch.stack([each[1] for each in drawn]), weights
        )

    def _index(self, place: int) -> int:
        """Return the sample at a place in the endless order."""
        return shuffled_row(place, len(self.samples), self.config.seed)

    def _drawn(self, place: int) -> tuple[Tensor, Tensor]:
        sample = self.samples[self._index(place)]
        image, classes = torch.from_numpy(sample.image).float(), torch.from_numpy(sample.classes)
        if self.config.is_3d:
            image, classes = _depth_window(image, classes, self.config.depth_px, self._rng(_WINDOW, place))
        if self.augmentation is None:
            return image, classes
        return self.augmentation(image, classes, int(self._rng(_AUGMENTATION, place).integers(2**31)))

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, purpose, number))


def _depth_window(
    image: Tensor, classes: Tensor, depth: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """So many slices from a place drawn at random, one labeled slice at least among them.

    A stack with fewer is filled up with ignored slices of value 0.
    """
    missing = depth - image.shape[1]
    if missing > 0:
        image = F.pad(image, (0, 0, 0, 0, 0, missing))
        classes = F.pad(classes, (0, 0, 0, 0, 0, missing), value=IGNORED)
    known = (classes != IGNORED).flatten(1).any(1).nonzero()[:, 0].numpy()
    last = image.shape[1] - depth
    middle = int(rng.choice(known)) if known.size else 0
    low, high = max(0, middle - depth + 1), min(middle, last)
    start = int(rng.integers(low, high + 1))
    return image[:, start : start + depth], classes[start : start + depth]
