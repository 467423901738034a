"""The loss of students: Dice and cross-entropy, sample by sample, where labels are known."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.samples import IGNORED


def student_loss(
    scores: Float[Tensor, "B O ..."],
    classes: UInt8[Tensor, "B ..."],
    weights: Float[Tensor, " B"],
    config: StudentConfig,
) -> Float[Tensor, ""]:
    """Return the mean of each sample's loss times its weight (lambda in SamDSK's equation 5).

    A sample's Dice is the mean over the labels that it shows. For a label that it does not show, the Dice
    loss hardly depends on the prediction; cross-entropy teaches its absence.
    """
    known = (classes != IGNORED)[:, None].float()  # B 1 *axes
    outputs = scores.shape[1]
    background = config.loss == "dice+ce"
    target = _one_hot(classes, outputs + (not background))  # B K *axes
    if background:
        probabilities, entropy = scores.softmax(1)[:, 1:], -(F.log_softmax(scores, 1) * target).sum(1)
    else:
        probabilities = scores.sigmoid()
        entropy = F.binary_cross_entropy_with_logits(scores, target[:, 1:], reduction="none").mean(1)
    dice = _dice(probabilities * known, target[:, 1:] * known)
    entropy = (entropy * known[:, 0]).flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
    losses = config.dice_weight * dice + config.entropy_weight * entropy
    return (losses * weights).mean()


def _one_hot(classes: Tensor, count: int) -> Tensor:
    """Encode classes; an ignored pixel is 0 in all of them."""
    numbers = torch.arange(count, device=classes.device).reshape(1, count, *[1] * (classes.ndim - 1))
    return (classes[:, None] == numbers).float()


def _dice(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Dice of each sample over the labels that it shows; 0 where it shows none."""
    from monai.losses.dice import DiceLoss

    found = DiceLoss(reduction="none")(probabilities, target).flatten(2).mean(2)  # B k
    shown = target.flatten(2).any(2).float()
    mean: Tensor = (found * shown).sum(1) / shown.sum(1).clamp(min=1)
    return mean
