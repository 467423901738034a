"""Reading: a trained classifier, and where in a picture its evidence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.pseudo.cam.activation import ActivationMapper
from sammed.datasets.pseudo.cam.classifier import Classifier
from sammed.datasets.pseudo.cam.config import Activation, CamConfig
from sammed.datasets.pseudo.cam.presence import SeenPicture, Task, as_pictures, plan_tasks, seen_pictures
from sammed.datasets.pseudo.cam.training import check_separates, train_classifier
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import AnnotationError
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """One trained classifier, its task, its settings, and its maps."""

    task: Task
    classifier: Classifier
    config: CamConfig
    mapper: ActivationMapper

    def map(
        self, pixels: Float[Tensor, "1 C S S"], class_index: int, shape: tuple[int, ...]
    ) -> Float[np.ndarray, "H W"]:
        """Return the evidence for a class, 0..1, on the slice's own pixels."""
        height, width = shape
        found: np.ndarray = self.mapper.maps(pixels, class_index, (height, width))[0].numpy()
        return found


def make_reader(task: Task, classifier: Classifier, config: CamConfig) -> Reader:
    """Return a reader with the maps that the config names."""
    layer = "trunk" if config.network == "embedding" else f"trunk.{config.layer}"
    mapper = ActivationMapper(classifier.network, layer, config.activation)
    return Reader(task, classifier, config, mapper)


def mapped_by(reader: Reader, activation: Activation) -> Reader:
    """Return the same classifier with other maps (tables 2 and 3)."""
    return make_reader(reader.task, reader.classifier, replace(reader.config, activation=activation))


def train_readers(
    gold: LabeledSet,
    config: CamConfig,
    seed: int,
    backbone: Backbone,
    reporter: Reporter,
    cache: EmbeddingCache | None = None,
) -> tuple[Reader, ...]:
    """Train a reader for each task; tasks that a classifier can't learn are reported.

    Raises AnnotationError where no task can be learned.
    """
    seen = seen_pictures(gold, config, backbone, cache)
    readers, problems = [], []
    for task in plan_tasks(seen, gold.labels, config.classes, reporter):
        try:
            readers.append(_train_reader(seen, task, config, seed, backbone.device, reporter))
        except AnnotationError as error:
            problems.append(str(error))
    if not readers:
        raise AnnotationError(" ".join(problems))
    for problem in problems:
        reporter.message(problem)
    return tuple(readers)


def _train_reader(
    seen: Sequence[SeenPicture],
    task: Task,
    config: CamConfig,
    seed: int,
    device: torch.device,
    reporter: Reporter,
) -> Reader:
    pictures = as_pictures(seen, task)
    classifier = train_classifier(pictures, task.names, config, seed=seed, device=device, reporter=reporter)
    check_separates(classifier, config.least_gain)
    reporter.message(
        f"{config.network}, {classifier.start}, separates {', '.join(task.names)} with a mean recall of "
        f"{classifier.mean_recall:.2f} on held-out pictures."
    )
    return make_reader(task, classifier, config)
