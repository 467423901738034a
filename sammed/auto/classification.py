"""Prompt classification: which cells of an embedding belong to which label (SAM^Med 3.2.2).

A multinomial logistic regression on the features of single cells, blind to where a cell lies. The paper names
over-fitting as its weak point. A penalty on the weights limits it; its strength is found by holding annotated
slices out in turn.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from sammed.auto.sap_net import log_odds
from sammed.auto.sap_training import Episodes, prepare_episodes
from sammed.backbones.frame import Frame
from sammed.errors import ConfigError

_SMALLEST_STD = 1e-6  # of a feature that never changes


@dataclass(frozen=True, slots=True)
class ClassificationConfig:
    """How the classifier is trained."""

    # Strengths of the penalty that are tried: factors of half the squared weights, added to the loss.
    strengths: tuple[float, ...] = (0.001, 0.01, 0.1)
    plain_strength: float = 0.01  # where there is no second slice to try the others on
    iterations: int = 100  # of LBFGS, at most

    def __post_init__(self) -> None:
        if not self.strengths or min(*self.strengths, self.plain_strength) <= 0:
            raise ConfigError("The classifier needs penalties, all above 0.")
        if self.iterations < 1:
            raise ConfigError("The classifier needs at least one iteration.")


@dataclass(frozen=True, slots=True, eq=False)
class TrainedClassifier:
    """Weights for standardized features, background first, and the features' means and deviations."""

    weight: Float[Tensor, "K C"]
    bias: Float[Tensor, " K"]
    mean: Float[Tensor, " C"]
    std: Float[Tensor, " C"]

    @torch.inference_mode()
    def coarse(self, embeddings: Float[Tensor, "S C h w"]) -> Float[Tensor, "S k h w"]:
        """Return log-odds of each label (k = K - 1) on the embedding grid."""
        scaled = self.weight / self.std  # K C
        shift = self.bias - scaled @ self.mean
        return log_odds(F.conv2d(embeddings, scaled[:, :, None, None], shift))


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Cells of annotated slices: standardized features and the share of their area that each class covers."""

    features: Float[Tensor, "M C"]
    shares: Float[Tensor, "M K"]

    def loss(self, weight: Float[Tensor, "K C"], bias: Float[Tensor, " K"]) -> Tensor:
        """Return the cross-entropy, averaged over the area."""
        log_probabilities = F.log_softmax(self.features @ weight.T + bias, dim=1)
        return -(self.shares * log_probabilities).sum() / self.shares.sum()


def train_classifier(
    embeddings: Float[Tensor, "A C h w"],
    masks: Bool[Tensor, "k A H W"],
    frame: Frame,
    config: ClassificationConfig,
) -> TrainedClassifier:
    """Train on annotated slices, without randomness. Raises AnnotationError if none shows a label."""
    slices = prepare_episodes(embeddings, masks, frame)
    shown = slices.valid > 0  # h w; not the padding
    features = slices.embeddings.permute(0, 2, 3, 1)[:, shown]  # A M C
    mean, std = features.mean((0, 1)), features.std((0, 1)).clamp(min=_SMALLEST_STD)
    shares = slices.masks.permute(0, 2, 3, 1)[:, shown]  # A M K
    cells = [_Cells(*pair) for pair in zip((features - mean) / std, shares, strict=True)]
    strength = _best_strength(cells, slices, config)
    weight, bias = _fit(_join(cells), strength, config)
    return TrainedClassifier(weight, bias, mean, std)


def _best_strength(cells: list[_Cells], slices: Episodes, config: ClassificationConfig) -> float:
    """Return the penalty with the least loss on held-out slices; only slices with a label are held out."""
    if len(slices.foreground) < 2:
        return config.plain_strength
    losses = {
        strength: sum(_loss_held_out(cells, row, strength, config) for row in slices.foreground)
        for strength in config.strengths
    }
    return min(losses, key=lambda strength: losses[strength])


def _loss_held_out(cells: list[_Cells], row: int, strength: float, config: ClassificationConfig) -> float:
    others = _join([each for index, each in enumerate(cells) if index != row])
    weight, bias = _fit(others, strength, config)
    known = others.shares.sum(0) > 0  # a label that only this slice shows can't be found on it
    return float(_Cells(cells[row].features, cells[row].shares * known).loss(weight, bias))


def _fit(
    cells: _Cells, strength: float, config: ClassificationConfig
) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
    """Fit weights and biases from zeros; the loss is convex, so the start doesn't matter."""
    weight = cells.features.new_zeros(cells.shares.shape[1], cells.features.shape[1], requires_grad=True)
    bias = cells.features.new_zeros(cells.shares.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=config.iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cells.loss(weight, bias) + strength / 2 * weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def _join(cells: list[_Cells]) -> _Cells:
    return _Cells(torch.cat([each.features for each in cells]), torch.cat([each.shares for each in cells]))
