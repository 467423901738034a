"""The losses against their definitions, by hand."""

import math

import pytest
import torch

from sammed.assist.losses import biased_dice_loss, dice_and_cross_entropy, dice_loss

# Two slices, one class, 2 x 2 cells.
PROBABILITIES = torch.tensor([[[[0.9, 0.2], [0.6, 0.0]]], [[[0.5, 0.0], [1.0, 0.3]]]])
TARGET = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]], [[[0.0, 0.0], [1.0, 1.0]]]])
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = 0.9 + 0.6 + 1.0 + 0.3, 0.2 + 0.5, 0.1 + 0.4 + 0.7


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 5.0])
def test_biased_dice_is_equation_7(beta: float) -> None:
    expected = 1 - 2 * TRUE_POSITIVE / (2 * TRUE_POSITIVE + beta * FALSE_POSITIVE + FALSE_NEGATIVE)
    assert biased_dice_loss(PROBABILITIES, TARGET, beta).item() == pytest.approx(expected, abs=1e-6)


def test_biased_dice_is_the_mean_over_the_classes() -> None:
    both = biased_dice_loss(PROBABILITIES.repeat(1, 2, 1, 1), torch.cat([TARGET, 1 - TARGET], dim=1), 2.0)
    each = [biased_dice_loss(PROBABILITIES, target, 2.0) for target in (TARGET, 1 - TARGET)]
    assert both.item() == pytest.approx(sum(loss.item() for loss in each) / 2, abs=1e-6)


def test_with_beta_1_it_is_the_dice_loss() -> None:
    one = slice(0, 1)
    biased = biased_dice_loss(PROBABILITIES[one], TARGET[one], 1.0)
    assert biased.item() == pytest.approx(dice_loss(PROBABILITIES[one, 0], TARGET[one, 0]).item(), abs=1e-6)


def test_beta_punishes_false_positives_and_not_false_negatives() -> None:
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    too_much, too_little = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]]), torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])
    assert biased_dice_loss(too_much, target, 3.0) > biased_dice_loss(too_much, target, 1.0)
    assert biased_dice_loss(too_little, target, 3.0) == biased_dice_loss(too_little, target, 1.0)


def test_the_gradient_of_beta_falls_on_false_positives() -> None:
    gradients = []
    for beta in (1.0, 3.0):
        probabilities = PROBABILITIES.clone().requires_grad_()
        torch.autograd.backward(biased_dice_loss(probabilities, TARGET, beta))
        assert probabilities.grad is not None
        gradients.append(probabilities.grad)
    background = TARGET == 0
    assert (gradients[1][background] > gradients[0][background]).all()


def test_dice_loss_weighs_every_mask_alike() -> None:
    masks, targets = PROBABILITIES[:, 0], TARGET[:, 0]
    by_hand = [1 - 2 * 1.5 / (2 * 1.5 + 0.2 + 0.5), 1 - 2 * 1.3 / (2 * 1.3 + 0.5 + 0.7)]
    assert dice_loss(masks, targets).item() == pytest.approx(sum(by_hand) / 2, abs=1e-6)


def test_dice_of_two_empty_masks_is_no_loss() -> None:
    assert dice_loss(torch.zeros(1, 3, 3), torch.zeros(1, 3, 3)).item() == 0


def test_dice_and_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[[2.0, -1.0]]])
    target = torch.tensor([[[1.0, 0.0]]])
    p = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))]
    entropy = -(math.log(p[0]) + math.log(1 - p[1])) / 2
    dice = 1 - 2 * p[0] / (2 * p[0] + p[1] + 1 - p[0])
    loss = dice_and_cross_entropy(logits, target, torch.ones(1, 2))
    assert loss.item() == pytest.approx(dice + entropy, abs=1e-5)


def test_the_padding_counts_for_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, generator=generator)
    target = (torch.rand(2, 4, 6, generator=generator) > 0.5).float()
    valid = torch.zeros(4, 6)
    valid[:3, :5] = 1
    padded = dice_and_cross_entropy(logits, target, valid)
    cropped = dice_and_cross_entropy(logits[:, :3, :5], target[:, :3, :5], torch.ones(3, 5))
    assert padded.item() == pytest.approx(cropped.item(), abs=1e-6)
