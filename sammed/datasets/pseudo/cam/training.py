"""Train the classifier and check that it separates the classes at all (3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from sammed.datasets.pseudo.cam.classifier import (
    Classifier,
    HeadedResNet,
    Pictures,
    build_resnet,
    class_rows,
)
from sammed.datasets.pseudo.cam.config import ClassifierConfig
from sammed.datasets.pseudo.cam.embedding import EmbeddingHead, fit_head
from sammed.errors import AnnotationError
from sammed.progress import Reporter


def train_classifier(
    pictures: Pictures,
    names: Sequence[str],
    config: ClassifierConfig,
    *,
    seed: int,
    device: torch.device,
    reporter: Reporter,
) -> Classifier:
    """Train a classifier on some of the pictures and test it on the held-out ones.

    `names` are those of the classes. Raises AnnotationError where a class has fewer than two pictures.
    `check_separates` checks that it learned anything.
    """
    _check_classes(pictures, names)
    held = hold_out(pictures, config.held_out, np.random.default_rng(seed))
    learned_from = Pictures(
        pictures.pixels[~held],
        pictures.classes[~held],
        tuple(case for case, out in zip(pictures.cases, held, strict=True) if not out),
    )
    if config.network == "embedding":
        network, start = _fitted(learned_from, names, config).to(device), "the backbone's embedding"
    else:
        network = build_resnet(config, len(names), seed).to(device)
        _train(network, learned_from, len(names), config, seed, reporter)
        start = "from scratch" if config.weights is None else f"weights from {config.weights.name}"
    unscored = Classifier(network.eval().requires_grad_(True), tuple(names), config.image_size, start, ())
    found = unscored.probabilities(pictures.pixels[held]).argmax(dim=1)
    rows = class_rows(pictures.classes[held], found, names)
    return replace(unscored, rows=rows)


def check_separates(classifier: Classifier, least_gain: float) -> None:
    """Raise AnnotationError unless the mean recall on held-out pictures is `least_gain` above chance."""
    chance = 1 / len(classifier.names)
    if classifier.mean_recall < chance + least_gain:
        raise AnnotationError(
            f"The classifier can't separate {', '.join(classifier.names)}: on held-out pictures its mean "
            f"recall is {classifier.mean_recall:.2f}, and guessing gives {chance:.2f}. Try more gold cases, "
            "ImageNet weights, or the network embedding."
        )


def hold_out(pictures: Pictures, share: float, rng: np.random.Generator) -> Bool[Tensor, " N"]:
    """Return which pictures to hold out: whole cases, such that every class is on both sides.

    Where no sample of cases does that, as with one volume, pictures of each class are sampled instead; their
    neighbors in the volume are then training pictures, and the score is too good.
    """
    names = sorted(set(pictures.cases))
    count = max(1, round(share * len(names)))
    for _ in range(20 if count < len(names) else 0):
        sampled = set(rng.choice(names, count, replace=False).tolist())
        held = torch.tensor([case in sampled for case in pictures.cases])
        if _on_both_sides(pictures.classes, held):
            return held
    held = torch.zeros(len(pictures.classes), dtype=torch.bool)
    for value in sorted(set(pictures.classes.tolist())):
        members = torch.nonzero(pictures.classes == value)[:, 0].numpy()
        held[rng.choice(members, max(1, round(share * len(members))), replace=False)] = True
    return held


def _on_both_sides(classes: Tensor, held: Tensor) -> bool:
    every = set(classes.tolist())
    return set(classes[held].tolist()) == every == set(classes[~held].tolist())


def _check_classes(pictures: Pictures, names: Sequence[str]) -> None:
    counts = torch.bincount(pictures.classes, minlength=len(names)).tolist()
    few = [f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count < 2]
    if few:
        raise AnnotationError(
            f"A classifier needs two gold pictures or more of each class; too few: {', '.join(few)}."
        )


def _fitted(pictures: Pictures, names: Sequence[str], config: ClassifierConfig) -> nn.Module:
    """Return a linear head fitted to the embeddings of these pictures."""
    head = EmbeddingHead(pictures.pixels.shape[1], names, config.sharpness)
    weights = _class_weights(pictures.classes, len(names), config.balanced)
    fit_head(head, pictures.pixels, pictures.classes, weights, config.weight_decay)
    return head


def _train(
    network: HeadedResNet,
    pictures: Pictures,
    classes: int,
    config: ClassifierConfig,
    seed: int,
    reporter: Reporter,
) -> None:
    device = next(network.parameters()).device
    weights = _class_weights(pictures.classes, classes, config.balanced).to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    rng = np.random.default_rng((seed, 1))
    network.train()
    # Dropout uses torch's global random state, which is restored.
    with torch.random.fork_rng(devices=[]), reporter.task("classifier", config.epochs) as task:
        torch.manual_seed(seed)
        for _ in range(config.epochs):
            for pixels, truth in _batches(pictures, config.batch_size, rng):
                loss = F.cross_entropy(network(pixels.to(device)), truth.to(device), weights)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            task.advance()
        # The statistics of the batch norms are set from a whole epoch; those of a few steps lag behind.
        update_bn((pixels.to(device) for pixels, _ in _batches(pictures, config.batch_size, rng)), network)


def _class_weights(classes: Tensor, count: int, balanced: bool) -> Tensor:
    """Return weights of the cross-entropy with mean 1; rare classes have higher ones."""
    if not balanced:
        return torch.ones(count)
    return len(classes) / (count * torch.bincount(classes, minlength=count).clamp(min=1).float())


def _batches(
    pictures: Pictures, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pictures and classes in random order, without batches of one, which a batch norm can't use."""
    order = torch.from_numpy(rng.permutation(len(pictures.classes)))
    for rows in torch.split(order, batch_size):
        if len(rows) > 1:
            yield pictures.pixels[rows], pictures.classes[rows]
