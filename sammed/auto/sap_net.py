"""SAP-Net: a spatial-aware prototypical network on frozen embeddings (SAM^Med 3.2.2, Fig. 4).

A class is one prototype: the mean feature under its mask. A cell belongs to the class with the nearest
prototype. Its features are the tuner T's output for the embedding and the cell's position (equation 5), each
part of unit length: positions weigh as much as looks.

The two parts are never joined in memory. The cosine of equation 4 only needs their inner products, and the
position's is the same for every slice, so a step costs a sixth of what the joined tensor would.
"""

import math
from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.auto.position_encoding import NoPositions, PositionEncoding
from sammed.errors import ConfigError

GROUPS = 8  # of channels that GroupNorm takes together


@dataclass(frozen=True, slots=True)
class SapNetConfig:
    """The sizes and constants of SAP-Net."""

    embedding_channels: int = 256  # SAM's
    channels: int = 64  # of the tuner; 128 costs four times as much and gained nothing (measured)
    position_features: int = 64  # d of equation 6
    position_sigma: float = 1.0  # of B in equation 6; the paper gives none, Tancik 2020 tunes it
    alpha: float = 20.0  # of equation 4; PANet's value, the paper gives none
    positions: bool = True  # off for slices of different cases, as in the paper's 4.3

    def __post_init__(self) -> None:
        if min(self.embedding_channels, self.channels, self.position_features) < 1:
            raise ConfigError("SAP-Net needs at least one channel and one position feature.")
        if self.channels % GROUPS:
            raise ConfigError(f"SAP-Net's channels must be a multiple of {GROUPS}, not {self.channels}.")
        if self.alpha <= 0 or self.position_sigma <= 0:
            raise ConfigError("SAP-Net's alpha and position_sigma must be positive.")


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """One prototype for each class, background first: its mean tuned feature and its mean position."""

    looks: Float[Tensor, "K D"]
    positions: Float[Tensor, "K P"]


class SapNet(nn.Module):
    """Tuner T and the matrix B of the position encoding.

    Prototypes come from outside, so one network serves any classes. So do the positions of a grid's cells:
    `positions` encodes them once for all slices and steps.
    """

    matrix: Tensor

    def __init__(self, config: SapNetConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        with torch.random.fork_rng(devices=[]):  # the layers' own weights are replaced
            first = nn.Conv2d(config.embedding_channels, channels, 1)
            second = nn.Conv2d(channels, channels, 3, padding=1)
        for layer in (first, second):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.tuner = nn.Sequential(first, nn.GroupNorm(GROUPS, channels), nn.ReLU(), second)
        matrix = torch.randn(2, config.position_features, generator=generator) * config.position_sigma
        self.register_buffer("matrix", matrix)  # B of equation 6

    def features(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S D h w"]:
        """Return T(E(I)) of equation 5, of unit length in each cell."""
        return F.normalize(self.tuner(embeddings), dim=1)

    def positions(self, height: int, width: int) -> PositionEncoding | NoPositions:
        """Encode the positions of a grid's cells."""
        if self.config.positions:
            return PositionEncoding(self.matrix, height, width)
        return NoPositions(2 * self.config.position_features)

    def prototypes(
        self,
        features: Float[Tensor, "S D h w"],
        masks: Float[Tensor, "S K h w"],
        positions: PositionEncoding | NoPositions,
    ) -> Prototypes:
        """Average features and positions under each class's masks 0..1 (masked average pooling, PANet 3.2).

        A class that no slice shows has a prototype of zeros, which no cell is near to.
        """
        area = masks.sum((0, 2, 3)).clamp(min=1e-6)[:, None]
        looks = einsum(features, masks, "s d h w, s k h w -> k d")
        return Prototypes(looks / area, positions.pooled(masks) / area)

    def similarity(
        self,
        features: Float[Tensor, "S D h w"],
        prototypes: Prototypes,
        positions: PositionEncoding | NoPositions,
    ) -> Float[Tensor, "S K h w"]:
        """Return alpha times the cosine similarity to each prototype: the exponent of equation 4.

        The paper's cos is a distance, hence its minus sign; this is a similarity, 1 for the same direction.
        """
        product = einsum(features, prototypes.looks, "s d h w, k d -> s k h w")
        product = product + positions.products(prototypes.positions)
        squares = prototypes.looks.square().sum(1) + prototypes.positions.square().sum(1)
        lengths = squares.clamp(min=1e-12).sqrt()  # clamped first: a root has no finite gradient at 0
        cell_length = math.sqrt(1 + positions.squared_length)
        cosine = product / (lengths * cell_length)[:, None, None]
        return self.config.alpha * cosine

    def forward(
        self, embeddings: Float[Tensor, "S C h w"], prototypes: Prototypes
    ) -> Float[Tensor, "S K h w"]:
        """Return the similarity of every cell to each class; softmax over K gives equation 4."""
        positions = self.positions(*embeddings.shape[-2:])
        return self.similarity(self.features(embeddings), prototypes, positions)


def log_odds(similarities: Float[Tensor, "S K h w"]) -> Float[Tensor, "S k h w"]:
    """Return log-odds of each class but the background against all others (k = K - 1), by equation 4."""
    return torch.stack(
        [_against_rest(similarities, index) for index in range(1, similarities.shape[1])], dim=1
    )


def _against_rest(similarities: Tensor, index: int) -> Tensor:
    rest = torch.cat([similarities[:, :index], similarities[:, index + 1 :]], dim=1)
    return similarities[:, index] - rest.logsumexp(1)
