"""Presence: which gold pictures hold which label, and the classes that follow from it (paper, 3.1).

Only the presence of a label in a mask is used, which an annotator sees at a glance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.pseudo.cam.classifier import Pictures
from sammed.datasets.pseudo.cam.config import NONE_NAME, ClassifierConfig, ClassPlan
from sammed.datasets.pseudo.cam.viewing import view
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import AnnotationError
from sammed.progress import Reporter
from sammed_volumes.labels import Label


@dataclass(frozen=True, slots=True, eq=False)
class SeenPicture:
    """A gold picture as `view` shows it, and the label values that it holds."""

    case: str
    pixels: Float[Tensor, "C S S"]
    present: frozenset[int]


@dataclass(frozen=True, slots=True)
class Task:
    """What one classifier separates: the label value of each class, 0 for none of them."""

    values: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, without that of their absence."""
        return tuple(name for value, name in zip(self.values, self.names, strict=True) if value)

    def class_of(self, present: frozenset[int]) -> int:
        """Return the class of a picture that holds these values."""
        held = [place for place, value in enumerate(self.values) if value in present]
        return held[0] if held else self.values.index(0)


def seen_pictures(
    gold: LabeledSet, config: ClassifierConfig, backbone: Backbone, cache: EmbeddingCache | None = None
) -> list[SeenPicture]:
    """Return the gold pictures. Raises AnnotationError where there is none."""
    seen = [each for case in gold.gold for each in _seen(open_case(case, gold), config, backbone, cache)]
    if not seen:
        raise AnnotationError("The set has no gold picture, so there is nothing to learn from.")
    return seen


def plan_tasks(
    seen: Sequence[SeenPicture], labels: Sequence[Label], plan: ClassPlan, reporter: Reporter
) -> tuple[Task, ...]:
    """Return the tasks: all labels at once where no picture holds two of them, else one task per label.

    A label that is in all pictures, or in none, is reported and skipped. Raises AnnotationError where no task
    is left.
    """
    exclusive = all(len(each.present) <= 1 for each in seen)
    if exclusive and plan == "auto":
        task = _task(labels, seen)
        tasks = [task] if len(task.values) > 1 else []
    else:
        tasks = [task for label in labels if len((task := _task([label], seen)).values) > 1]
    learned = {value for task in tasks for value in task.values}
    missing = [label.name for label in labels if label.value not in learned]
    if not tasks:
        raise AnnotationError(
            f"All gold pictures hold {' or '.join(missing)}, or none does; a classifier needs "
            "pictures with it and pictures without it."
        )
    if missing:
        reporter.message(f"Skipped labels, which all gold pictures have or none has: {', '.join(missing)}.")
    return tuple(tasks)


def as_pictures(seen: Sequence[SeenPicture], task: Task) -> Pictures:
    """Return the pictures with their classes; gray ones get three channels if others are in color."""
    channels = max(len(each.pixels) for each in seen)
    pixels = [each.pixels.expand(channels, -1, -1) for each in seen]
    classes = [task.class_of(each.present) for each in seen]
    return Pictures(torch.stack(pixels), torch.tensor(classes), tuple(each.case for each in seen))


def _seen(
    opened: OpenCase, config: ClassifierConfig, backbone: Backbone, cache: EmbeddingCache | None
) -> Iterator[SeenPicture]:
    """Yield the labeled pictures of one case."""
    scan, stack = opened.scan(backbone, cache=cache), opened.label_stack()
    for index in opened.known:
        present = frozenset(int(value) for value in np.unique(stack[index]) if value)
        yield SeenPicture(opened.case.name, view(scan, index, config), present)


def _task(labels: Sequence[Label], seen: Sequence[SeenPicture]) -> Task:
    """Return the classes that occur among these labels and their absence."""
    names = {0: NONE_NAME, **{label.value: label.name for label in labels}}
    wanted = set(names)
    held = {value for each in seen for value in (each.present & wanted or {0})}
    values = tuple(value for value in names if value in held)
    return Task(values, tuple(names[value] for value in values))
