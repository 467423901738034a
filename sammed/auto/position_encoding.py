"""Position encoding: where a cell of the embedding lies, as features of unit length (SAM^Med equation 6)."""

import math

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor


class PositionEncoding:
    """Gaussian Fourier features of the centers of all cells of a grid; P = 2 d for a `matrix` B of 2 x d.

    `squared_length` is that of one cell's features.
    """

    squared_length = 1.0

    def __init__(self, matrix: Float[Tensor, "2 d"], height: int, width: int) -> None:
        rows = (torch.arange(height, device=matrix.device) + 0.5) / height * 2 - 1
        columns = (torch.arange(width, device=matrix.device) + 0.5) / width * 2 - 1
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)  # h w 2, (x, y)
        angles = (2 * math.pi * grid @ matrix).permute(2, 0, 1)  # d h w
        # cos² + sin² is 1 for each of the d
        self.cells: Float[Tensor, "P h w"] = torch.cat([angles.cos(), angles.sin()]) * math.sqrt(
            1 / matrix.shape[1]
        )

    def pooled(self, masks: Float[Tensor, "S K h w"]) -> Float[Tensor, "K P"]:
        """Sum the features under each class's masks."""
        return einsum(self.cells, masks.sum(0), "p h w, k h w -> k p")

    def products(self, prototypes: Float[Tensor, "K P"]) -> Float[Tensor, "K h w"]:
        """Inner products of every cell with the position of each prototype."""
        return einsum(self.cells, prototypes, "p h w, k p -> k h w")


class NoPositions:
    """Stands in where positions are off: they are zero everywhere, and nothing is computed."""

    squared_length = 0.0

    def __init__(self, features: int) -> None:
        self._features = features

    def pooled(self, masks: Float[Tensor, "S K h w"]) -> Float[Tensor, "K P"]:
        """Zeros of the shape that a prototype's position has."""
        return masks.new_zeros(masks.shape[1], self._features)

    def products(self, prototypes: Float[Tensor, "K P"]) -> Float[Tensor, "K 1 1"]:
        """Zeros."""
        return prototypes.new_zeros(len(prototypes), 1, 1)
