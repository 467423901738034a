"""SAP-Net: a spatial-aware prototypical network on frozen embeddings (SAM^Med 3.2.2, Fig. 4).

A class is one prototype: the mean feature under its mask. A cell belongs to the class whose prototype is
nearest. The features are what the tuner T makes of the embedding, with the cell's position beside it
(equation 5), each part of unit length: positions weigh as much as looks.

The two parts are never written side by side in memory. The cosine of equation 4 only needs their inner
products, and the position's is the same for every slice; so a step costs a sixth of what the joined
tensor would.
"""

import math
from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.errors import ConfigError

GROUPS = 8  # of channels that GroupNorm takes together


@dataclass(frozen=True, slots=True)
class SapNetConfig:
    """The numbers of SAP-Net's layers."""

    embedding_channels: int = 256  # SAM's
    channels: int = 64  # of the tuner; 128 costs four times as much and gained nothing (measured)
    position_features: int = 64  # d of equation 6
    position_sigma: float = 1.0  # of B in equation 6; the paper doesn't say, Tancik 2020 tunes it
    alpha: float = 20.0  # of equation 4; PANet's value, the paper doesn't say
    positions: bool = True  # off for slices of different cases, as in the paper's 4.3

    def __post_init__(self) -> None:
        if min(self.embedding_channels, self.channels, self.position_features) < 1:
            raise ConfigError("SAP-Net needs at least one channel and one position feature.")
        if self.channels % GROUPS:
            raise ConfigError(f"SAP-Net's channels come in groups of {GROUPS}; {self.channels} don't divide.")
        if self.alpha <= 0 or self.position_sigma <= 0:
            raise ConfigError("SAP-Net's alpha and position_sigma must be positive.")


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """One prototype a class, background first: its tuned features and its position's."""

    looks: Float[Tensor, "K D"]
    positions: Float[Tensor, "K P"]


class SapNet(nn.Module):
    """Tuner T and position encoding; prototypes come from outside, so one network serves any classes."""

    matrix: Tensor

    def __init__(self, config: SapNetConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        with torch.random.fork_rng(devices=[]):  # the layers draw weights of their own, which are replaced
            first = nn.Conv2d(config.embedding_channels, channels, 1)
            second = nn.Conv2d(channels, channels, 3, padding=1)
        for layer in (first, second):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.tuner = nn.Sequential(first, nn.GroupNorm(GROUPS, channels), nn.ReLU(), second)
        matrix = torch.randn(2, config.position_features, generator=generator) * config.position_sigma
        self.register_buffer("matrix", matrix)  # B of equation 6

    def features(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S D h w"]:
        """T(E(I)) of equation 5, unit length in each cell."""
        return F.normalize(self.tuner(embeddings), dim=1)

    def positions(self, height: int, width: int) -> Float[Tensor, "P h w"]:
        """Gaussian Fourier features of the cells' centers (equation 6), unit length; P = 2 d."""
        rows = (torch.arange(height, device=self.matrix.device) + 0.5) / height * 2 - 1
        columns = (torch.arange(width, device=self.matrix.device) + 0.5) / width * 2 - 1
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)  # h w 2, (x, y)
        angles = (2 * math.pi * grid @ self.matrix).permute(2, 0, 1)  # d h w
        encoded = torch.cat([angles.cos(), angles.sin()])
        weight = math.sqrt(1 / self.config.position_features) if self.config.positions else 0.0
        return encoded * weight  # cos² + sin² is 1 for each of the d

    def prototypes(self, features: Float[Tensor, "S D h w"], masks: Float[Tensor, "S K h w"]) -> Prototypes:
        """Mean feature and mean position under each class's masks 0..1 (masked average pooling, PANet 3.2).

        A class that no slice shows has a prototype of zeros, which no cell is near to.
        """
        area = masks.sum((0, 2, 3)).clamp(min=1e-6)[:, None]
        positions = self.positions(*features.shape[-2:])
        looks = einsum(features, masks, "s d h w, s k h w -> k d") / area
        return Prototypes(looks, einsum(positions, masks.sum(0), "p h w, k h w -> k p") / area)

    def similarity(
        self, features: Float[Tensor, "S D h w"], prototypes: Prototypes
    ) -> Float[Tensor, "S K h w"]:
        """Alpha times the cosine similarity to each prototype: the exponent of equation 4.

        The paper's cos is a distance, hence its minus sign; ours is a similarity, 1 for the same direction.
        """
        positions = self.positions(*features.shape[-2:])
        product = einsum(features, prototypes.looks, "s d h w, k d -> s k h w")
        product = product + einsum(positions, prototypes.positions, "p h w, k p -> k h w")
        squares = prototypes.looks.square().sum(1) + prototypes.positions.square().sum(1)
        lengths = squares.clamp(min=1e-12).sqrt()  # clamped first: a root's gradient at 0 is not a number
        cell_length = math.sqrt(2.0) if self.config.positions else 1.0
        cosine = product / (lengths * cell_length)[:, None, None]
        return self.config.alpha * cosine

    def forward(
        self, embeddings: Float[Tensor, "S C h w"], prototypes: Prototypes
    ) -> Float[Tensor, "S K h w"]:
        """Similarities of every cell of the slices to the classes; softmax over K gives equation 4."""
        return self.similarity(self.features(embeddings), prototypes)


def log_odds(similarities: Float[Tensor, "S K h w"]) -> Float[Tensor, "S k h w"]:
    """Log-odds of each class but the background against all others (k = K - 1), from equation 4's softmax."""
    return torch.stack(
        [_against_rest(similarities, index) for index in range(1, similarities.shape[1])], dim=1
    )


def _against_rest(similarities: Tensor, index: int) -> Tensor:
    rest = torch.cat([similarities[:, :index], similarities[:, index + 1 :]], dim=1)
    return similarities[:, index] - rest.logsumexp(1)
