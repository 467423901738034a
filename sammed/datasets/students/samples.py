"""Samples: pictures and volumes as squares and stacks for training a student.

A sample's classes are numbers: 0 for the background, then the labels in ascending order of value, and IGNORED
where the label is unknown.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, UInt8

from sammed.datasets.labeled_sets.pictures import OpenCase, Picture
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.scaling import classes_to_square, to_square
from sammed.errors import ConfigError
from sammed_volumes.labels import Label

IGNORED = 255
"""The class of pixels that training ignores."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A square, or a stack of squares (slices first), and its classes; `weight` multiplies its loss."""

    image: Float16[np.ndarray, "C ..."]
    classes: UInt8[np.ndarray, "..."]
    weight: float = 1.0


def picture_sample(
    picture: Picture, labels: Sequence[Label], config: StudentConfig, weight: float = 1.0
) -> Sample:
    """Return a labeled picture as a square. Raises ConfigError for one without labels."""
    if picture.labels is None:
        raise ConfigError(f"Slice {picture.index} of {picture.case} has no labels to learn from.")
    classes = _classes(picture.labels, labels)
    if picture.ignore is not None:
        classes[picture.ignore] = IGNORED
    image = to_square(picture.image, config.size_px, config.channels)
    return Sample(image.astype(np.float16), classes_to_square(classes, config.size_px), weight)


def volume_sample(
    opened: OpenCase, labels: Sequence[Label], config: StudentConfig, weight: float = 1.0
) -> Sample:
    """Return a labeled volume as a stack of squares C S s s; unlabeled slices are ignored."""
    pictures = [opened.picture(index) for index in range(opened.slicing.count)]
    images = [to_square(picture.image, config.size_px, config.channels) for picture in pictures]
    classes = np.full((len(pictures), config.size_px, config.size_px), IGNORED, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        if picture.labels is not None:
            classes[index] = picture_sample(picture, labels, config).classes
    return Sample(np.stack(images, axis=1).astype(np.float16), classes, weight)


def known_samples(
    opened: OpenCase, labels: Sequence[Label], config: StudentConfig, weight: float = 1.0
) -> Iterator[Sample]:
    """Yield the samples of a labeled case: pictures with known labels, or the stack for a 3-D student."""
    if config.is_3d:
        yield volume_sample(opened, labels, config, weight)
        return
    for index in opened.known:
        yield picture_sample(opened.picture(index), labels, config, weight)


def samples_digest(samples: Iterable[Sample]) -> str:
    """Return 64 hexadecimal digits over all samples and weights, to tell whether training can continue."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.image.shape} {sample.weight!r}".encode())
        digest.update(sample.image.tobytes())
        digest.update(sample.classes.tobytes())
    return digest.hexdigest()


def _classes(values: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
    if len(labels) >= IGNORED:
        raise ConfigError(f"A student learns at most {IGNORED - 1} labels, not {len(labels)}.")
    classes = np.zeros(values.shape, dtype=np.uint8)
    for number, label in enumerate(labels, start=1):
        classes[values == label.value] = number
    return classes
