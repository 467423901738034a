"""Learning SAP-Net from a few annotated slices, episode by episode (SAM^Med 3.2.2, 4.3; PANet 3.3).

Each iteration draws support and query anew from the annotated slices. Slices without any of the labels
are always among the queries. Prototypes of the support segment the queries (segmentation loss); prototypes
of what was found there segment the support (alignment loss).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from sammed.assist.losses import biased_dice_loss
from sammed.auto.sap_net import Prototypes, SapNet, SapNetConfig, log_odds
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError


@dataclass(frozen=True, slots=True)
class SapLearningConfig:
    """How SAP-Net is learned."""

    network: SapNetConfig = field(default_factory=SapNetConfig)
    steps: int = 100  # 60 lose 0.01 to 0.03 Dice on thin structures, 150 gain nothing (measured)
    learning_rate: float = 3e-3  # the peak of a one-cycle schedule (measured)
    beta: float = 1.5  # of equation 7, above 1: a false positive costs more; the paper doesn't give it
    alignment_weight: float = 1.0  # PANet's

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0:
            raise ConfigError("SAP-Net needs at least one step and a learning rate above 0.")
        if self.beta < 1:
            raise ConfigError(f"beta is {self.beta}; the biased Dice loss (equation 7) takes 1 or more.")
        if self.alignment_weight < 0:
            raise ConfigError("The alignment loss can't have a weight below 0.")


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Annotated slices ready for learning: one-hot masks with the background first, on both grids."""

    embeddings: Float[Tensor, "A C h w"]
    masks: Float[Tensor, "A K h w"]
    valid: Float[Tensor, "h w"]
    foreground: tuple[int, ...]
    background: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LearnedSapNet:
    """A SAP-Net and the prototypes of all annotated slices, which is what inference uses (paper, 4.3)."""

    network: SapNet
    prototypes: Prototypes

    @torch.inference_mode()
    def coarse(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S k h w"]:
        """Log-odds of each label on the embedding grid."""
        return log_odds(self.network(embeddings, self.prototypes))


def prepare_episodes(
    embeddings: Float[Tensor, "A C h w"], masks: Bool[Tensor, "k A H W"], frame: Frame
) -> Episodes:
    """Annotated slices on the embedding grid; raises AnnotationError if none shows a label."""
    device = embeddings.device
    shares = torch.stack([frame.masks_to_embedding(mask) for mask in masks], dim=1).to(device)  # A k h w
    valid = frame.masks_to_embedding(torch.ones(1, frame.height, frame.width))[0].to(device)
    background = (valid - shares.sum(1, keepdim=True)).clamp(min=0)
    shown = masks.flatten(2).any(2).any(0).tolist()  # A
    foreground = tuple(index for index, label in enumerate(shown) if label)
    if not foreground:
        raise AnnotationError("None of the annotated slices shows a label.")
    empty = tuple(index for index, label in enumerate(shown) if not label)
    return Episodes(embeddings, torch.cat([background, shares], dim=1), valid, foreground, empty)


def learn_sap_net(
    episodes: Episodes,
    config: SapLearningConfig,
    generator: torch.Generator,
    progress: Callable[[int], None] | None = None,
) -> LearnedSapNet:
    """Learn the tuner; `generator` (on the CPU) decides the initial weights and every episode."""
    network = SapNet(config.network, generator).to(episodes.embeddings.device)
    optimizer = torch.optim.Adam(network.tuner.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps + 1
    )
    for _ in range(config.steps):
        support, query = draw_episode(episodes, generator)
        loss = episode_loss(network, episodes, support, query, config)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(1)
    network.eval().requires_grad_(False)
    with torch.no_grad():
        prototypes = network.prototypes(network.features(episodes.embeddings), episodes.masks)
    return LearnedSapNet(network, prototypes)


def draw_episode(episodes: Episodes, generator: torch.Generator) -> tuple[list[int], list[int]]:
    """Support and query: rows of the annotated slices. Of one foreground slice alone, it is both."""
    order = torch.randperm(len(episodes.foreground), generator=generator).tolist()
    shuffled = [episodes.foreground[index] for index in order]
    if len(shuffled) == 1:
        return shuffled, [*shuffled, *episodes.background]
    count = int(torch.randint(1, len(shuffled), (1,), generator=generator))
    return shuffled[:count], [*shuffled[count:], *episodes.background]


def episode_loss(
    network: SapNet, episodes: Episodes, support: list[int], query: list[int], config: SapLearningConfig
) -> Tensor:
    """Segmentation loss on the queries plus alignment loss on the support."""
    features = network.features(episodes.embeddings[support + query])
    of_support, of_query = features[: len(support)], features[len(support) :]
    prototypes = network.prototypes(of_support, episodes.masks[support])
    found = network.similarity(of_query, prototypes)
    loss = _loss(found, episodes.masks[query], episodes.valid, config.beta)
    if config.alignment_weight == 0:
        return loss
    back = network.prototypes(of_query, found.softmax(1) * episodes.valid)
    returned = network.similarity(of_support, back)
    alignment = _loss(returned, episodes.masks[support], episodes.valid, config.beta)
    return loss + config.alignment_weight * alignment


def _loss(
    similarities: Float[Tensor, "S K h w"],
    masks: Float[Tensor, "S K h w"],
    valid: Float[Tensor, "h w"],
    beta: float,
) -> Tensor:
    """Cross-entropy with equation 7's biased Dice, in the cells that show the slice."""
    entropy = -(masks * F.log_softmax(similarities, dim=1)).sum(1)  # S h w; masks are 0 outside
    probabilities = similarities.softmax(1)[:, 1:] * valid
    dice = biased_dice_loss(probabilities, masks[:, 1:], beta)
    return entropy.sum() / (valid.sum() * len(masks)) + dice
