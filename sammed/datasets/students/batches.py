"""Batches: what each step of training sees, determined by the config's seed and the step's number.

A training that continues after a break sees what it would have seen without the break.
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
    """All batches of a training; `total` is the number of steps."""

    samples: Sequence[Sample]
    config: StudentConfig
    augmentation: Augmentation | None

    @property
    def total(self) -> int:
        """The number of steps of the training."""
        if self.config.steps is not None:
            return self.config.steps
        return -(-self.config.epochs * len(self.samples) // self.config.batch_size)

    def epoch(self, step: int) -> int:
        """Return how often every sample was seen after so many steps."""
        return step * self.config.batch_size // len(self.samples)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        size = self.config.batch_size
        places = range(step * size, (step + 1) * size)
        sampled = [self._sampled(place) for place in places]
        weights = torch.tensor([self.samples[self._index(place)].weight for place in places])
        return Batch(
            torch.stack([each[0] for each in sampled]), torch.stack([each[1] for each in sampled]), weights
        )

    def _index(self, place: int) -> int:
        """Return the sample at a place in the endless order."""
        return shuffled_row(place, len(self.samples), self.config.seed)

    def _sampled(self, place: int) -> tuple[Tensor, Tensor]:
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
    """Return `depth` slices from a random place, with at least one labeled slice.

    A stack with fewer slices is padded with ignored slices of value 0.
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
