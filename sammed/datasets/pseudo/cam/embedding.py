"""A linear head on the frozen backbone's embedding, as a classifier for few pictures.

From some hundred pictures a ResNet without pretraining learns their class, but little about where the
evidence is. The backbone's embedding is localized and needs no training; the head learns one weight per
channel. The paper has no such head: it had ImageNet weights and thousands of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.datasets.pseudo.cam.config import NONE_NAME
from sammed.embeddings.scan import Scan

SIDE = 32
"""Cells per side of the square to which all embeddings are resampled, whatever their slices' proportions."""

_MOST_STEPS = 50  # of a fit that usually ends earlier


class EmbeddingHead(nn.Module):
    """A map for each class, linear in the embedding, with its soft maximum as the class's logit.

    The soft maximum is a log-sum-exp over the cells (Pinheiro and Collobert 2015): the higher `sharpness`,
    the fewer cells decide. Absence has no place in a picture, so the logit of none is always 0.
    """

    speaks: Tensor

    def __init__(self, channels: int, names: Sequence[str], sharpness: float) -> None:
        super().__init__()
        self.trunk = nn.BatchNorm2d(channels, affine=False, momentum=None)
        self.weights = nn.Parameter(torch.zeros(len(names), channels))
        self.biases = nn.Parameter(torch.zeros(len(names)))
        self.sharpness = sharpness
        self.register_buffer("speaks", torch.tensor([float(name != NONE_NAME) for name in names]))

    def forward(self, embeddings: Float[Tensor, "N C s s"]) -> Float[Tensor, "N K"]:
        """Return the logits of the classes."""
        seen = self.trunk(embeddings).flatten(2)  # N C s*s
        maps = self.weights @ seen + self.biases[:, None]  # N K s*s
        softest = torch.logsumexp(self.sharpness * maps, dim=2) - math.log(maps.shape[2])
        logits: Tensor = self.speaks * softest / self.sharpness
        return logits


def fit_head(
    head: EmbeddingHead,
    embeddings: Float[Tensor, "N C s s"],
    classes: Int64[Tensor, " N"],
    weights: Float[Tensor, " K"],
    decay: float,
) -> None:
    """Fit the head, in place, to all pictures at once.

    The loss is the cross-entropy with class `weights`, plus `decay` times the sum of squared weights.
    """
    with torch.no_grad():
        head.train()(embeddings)  # sets the mean and spread of each channel
    head.eval()
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        found: Tensor = F.cross_entropy(head(embeddings), classes, weights)
        found = found + decay * head.weights.square().sum()
        torch.autograd.backward(found)
        return found.item()

    optimizer.step(loss)  # type: ignore[no-untyped-call]


def square_embedding(scan: Scan, index: int) -> Float[Tensor, "C s s"]:
    """Return the embedding of a slice, without its padding, as a square."""
    embedding = scan.embeddings([index]).float()
    frame, side = scan.frame, embedding.shape[-1]
    rows = math.ceil(side * frame.content_height / frame.size)
    columns = math.ceil(side * frame.content_width / frame.size)
    return F.adaptive_avg_pool2d(embedding[:, :, :rows, :columns], SIDE)[0]
