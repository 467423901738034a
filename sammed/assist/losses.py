"""Losses between probabilities or logits and masks 0..1, which may be shares of a cell's area."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_NOTHING = 1e-6  # keeps the Dice of two empty masks at 1


def dice_loss(probabilities: Float[Tensor, "N h w"], target: Float[Tensor, "N h w"]) -> Float[Tensor, ""]:
    """Return 1 - 2 TP / (2 TP + FP + FN), counted softly in each mask; the mean over the masks."""
    return _dice(probabilities, target, 1.0, (-2, -1)).mean()


def biased_dice_loss(
    probabilities: Float[Tensor, "S K h w"], target: Float[Tensor, "S K h w"], beta: float
) -> Float[Tensor, ""]:
    """Return 1 - 2 TP / (2 TP + beta FP + FN) (SAM^Med equation 7): beta above 1 punishes false positives.

    TP, FP and FN are counted softly over all slices S, so a slice without the class counts too. The result
    is the mean over the classes K. A class that no slice shows has a loss of 1 without a gradient.
    """
    return _dice(probabilities, target, beta, (0, -2, -1)).mean()


def dice_and_cross_entropy(
    logits: Float[Tensor, "N h w"], target: Float[Tensor, "N h w"], valid: Float[Tensor, "h w"]
) -> Float[Tensor, ""]:
    """Return Dice loss plus binary cross-entropy, in the cells where `valid` is 1; it is 0 in the padding."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * valid
    cells = valid.sum() * len(logits)
    return dice_loss(torch.sigmoid(logits) * valid, target * valid) + entropy.sum() / cells


def _dice(probabilities: Tensor, target: Tensor, beta: float, axes: tuple[int, ...]) -> Tensor:
    true_positive = (probabilities * target).sum(axes)
    false_positive = (probabilities * (1 - target)).sum(axes)
    false_negative = ((1 - probabilities) * target).sum(axes)
    twice = 2 * true_positive + _NOTHING
    return 1 - twice / (twice + beta * false_positive + false_negative)
