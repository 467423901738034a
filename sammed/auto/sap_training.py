"""Train SAP-Net on a few annotated slices, episode by episode (SAM^Med 3.2.2, 4.3; PANet 3.3).

Each step splits the annotated slices into support and query again. Slices without any of the labels are
always among the queries. Prototypes of the support segment the queries (segmentation loss); prototypes of
what was found there segment the support (alignment loss).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from sammed.assist.losses import biased_dice_loss
from sammed.auto.position_encoding import NoPositions, PositionEncoding
from sammed.auto.sap_net import Prototypes, SapNet, SapNetConfig, log_odds
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError


@dataclass(frozen=True, slots=True)
class SapTrainingConfig:
    """How SAP-Net is trained."""

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
    """Annotated slices on the embedding grid: shares of each cell's area by class, background first.

    `valid` is the share of a cell that shows the slice. `foreground` and `background` are the rows of slices
    that show a label, and of those that show none.
    """

    embeddings: Float[Tensor, "A C h w"]
    masks: Float[Tensor, "A K h w"]
    valid: Float[Tensor, "h w"]
    foreground: tuple[int, ...]
    background: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedSapNet:
    """A SAP-Net and the prototypes of all annotated slices, which inference uses (paper, 4.3)."""

    network: SapNet
    prototypes: Prototypes

    @torch.inference_mode()
    def coarse(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S k h w"]:
        """Return log-odds of each label on the embedding grid."""
        return log_odds(self.network(embeddings, self.prototypes))


def prepare_episodes(
    embeddings: Float[Tensor, "A C h w"], masks: Bool[Tensor, "k A H W"], frame: Frame
) -> Episodes:
    """Put annotated slices on the embedding grid. Raises AnnotationError if none shows a label."""
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


def train_sap_net(
    episodes: Episodes,
    config: SapTrainingConfig,
    generator: torch.Generator,
    progress: Callable[[int], None] | None = None,
) -> TrainedSapNet:
    """Train the tuner. `generator` (on the CPU) decides the initial weights and every episode."""
    network = SapNet(config.network, generator).to(episodes.embeddings.device)
    positions = network.positions(*episodes.embeddings.shape[-2:])
    optimizer = torch.optim.Adam(network.tuner.parameters(), lr=config.learning_rate)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=config.steps + 1)
    for _ in range(config.steps):
        support, query = sample_episode(episodes, generator)
        loss = episode_loss(network, positions, episodes, support, query, config)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        rate.step()
        if progress is not None:
            progress(1)
    network.eval().requires_grad_(False)
    with torch.no_grad():
        prototypes = network.prototypes(network.features(episodes.embeddings), episodes.masks, positions)
    return TrainedSapNet(network, prototypes)


def sample_episode(episodes: Episodes, generator: torch.Generator) -> tuple[list[int], list[int]]:
    """Sample support and query, rows of the annotated slices. A single foreground slice is both."""
    order = torch.randperm(len(episodes.foreground), generator=generator).tolist()
    shuffled = [episodes.foreground[index] for index in order]
    if len(shuffled) == 1:
        return shuffled, [*shuffled, *episodes.background]
    count = int(torch.randint(1, len(shuffled), (1,), generator=generator))
    return shuffled[:count], [*shuffled[count:], *episodes.background]


def episode_loss(
    network: SapNet,
    positions: PositionEncoding | NoPositions,
    episodes: Episodes,
    support: list[int],
    query: list[int],
    config: SapTrainingConfig,
) -> Tensor:
    """Return the segmentation loss on the queries plus the alignment loss on the support."""
    features = network.features(episodes.embeddings[support + query])
    of_support, of_query = features[: len(support)], features[len(support) :]
    prototypes = network.prototypes(of_support, episodes.masks[support], positions)
    found = network.similarity(of_query, prototypes, positions)
    loss = _loss(found, episodes.masks[query], episodes.valid, config.beta)
    if config.alignment_weight == 0:
        return loss
    back = network.prototypes(of_query, found.softmax(1) * episodes.valid, positions)
    returned = network.similarity(of_support, back, positions)
    alignment = _loss(returned, episodes.masks[support], episodes.valid, config.beta)
    return loss + config.alignment_weight * alignment


def _loss(
    similarities: Float[Tensor, "S K h w"],
    masks: Float[Tensor, "S K h w"],
    valid: Float[Tensor, "h w"],
    beta: float,
) -> Tensor:
    """Return cross-entropy plus the biased Dice loss of equation 7, in the cells that show the slice."""
    entropy = -(masks * F.log_softmax(similarities, dim=1)).sum(1)  # S h w; masks are 0 outside
    probabilities = similarities.softmax(1)[:, 1:] * valid
    dice = biased_dice_loss(probabilities, masks[:, 1:], beta)
    return entropy.sum() / (valid.sum() * len(masks)) + dice
