"""Folds for cross-validation that never validate on pseudo-labels.

Folds consist of images, not files: all gold labels of one image are in one fold. An image that also has a
pseudo-label is never validated on, because every fold trains on its pseudo-label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sammed.datasets.export.origins import CaseRecord
from sammed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Folds:
    """The cases that each fold validates on; `notes` report deviations from what was asked."""

    cases: tuple[str, ...]
    validation: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def of(self, case: str) -> int | None:
        """Return the fold that validates on a case; None where none does."""
        return next((fold for fold, names in enumerate(self.validation) if case in names), None)

    def training(self, fold: int) -> tuple[str, ...]:
        """Return the cases that a fold trains on: all that it does not validate on."""
        return tuple(name for name in self.cases if name not in self.validation[fold])


def plan_folds(records: Sequence[CaseRecord], count: int = 5) -> Folds:
    """Distribute the images of gold cases over at most `count` folds, in turn and in order of name.

    With fewer images than folds there is a fold for each. With one image, it validates a network trained on
    pseudo-labels; where no training case would remain, there is no fold.
    """
    if count < 2:
        raise ConfigError(f"Cross-validation needs 2 folds or more, not {count}.")
    training = sorted(record.name for record in records if record.is_training)
    images = _images_to_validate(records)
    if len(images) == 1 and len(images[0]) == len(training):
        images = []
    folds = range(min(count, len(images)))
    dealt = [tuple(name for image in images[fold::count] for name in image) for fold in folds]
    return Folds(tuple(training), tuple(dealt), _notes(len(images), count))


def _images_to_validate(records: Sequence[CaseRecord]) -> list[tuple[str, ...]]:
    """Return the gold cases of each image that has no pseudo-label, in order of name."""
    training = sorted((record for record in records if record.is_training), key=lambda record: record.name)
    machine = {record.image_sha256 for record in training if not record.case.is_gold}
    images: dict[str, list[str]] = {}
    for record in training:
        if record.image_sha256 not in machine:
            images.setdefault(record.image_sha256, []).append(record.name)
    return [tuple(names) for names in images.values()]


def _notes(images: int, count: int) -> tuple[str, ...]:
    if images == 0:
        return ("No fold can be validated: every gold image is also needed for training.",)
    if images == 1:
        return ("Only one gold image can be validated on, so there is one fold, which trains without it.",)
    if images < count:
        return (f"{images} gold images can be validated on, so there are {images} folds, not {count}.",)
    return ()
