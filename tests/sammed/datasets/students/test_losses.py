"""The loss against hand-made cases."""

import math
from collections.abc import Callable

import pytest
import torch

from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.losses import student_loss
from sammed.datasets.students.samples import IGNORED


def scores_of(classes: torch.Tensor, outputs: int, height: float = 8.0) -> torch.Tensor:
    """Scores that are right about every pixel, `height` logits sure."""
    first = 0 if outputs == int(classes.max()) + 1 else 1
    channels = [(classes == number).float() * 2 - 1 for number in range(first, outputs + first)]
    return torch.stack(channels, dim=1) * height


@pytest.mark.parametrize(("loss", "outputs"), [("dice+bce", 2), ("dice+ce", 3)])
def test_right_answers_cost_nothing_and_wrong_ones_do(
    tiny_config: Callable[..., StudentConfig], loss: str, outputs: int
) -> None:
    config = tiny_config(loss=loss)
    classes = torch.tensor([[[0, 1], [2, 0]]], dtype=torch.uint8)
    right = student_loss(scores_of(classes, outputs), classes, torch.ones(1), config)
    wrong = student_loss(-scores_of(classes, outputs), classes, torch.ones(1), config)
    assert right < 0.01 < 1 < wrong


def test_by_hand(tiny_config: Callable[..., StudentConfig]) -> None:
    """One label, probabilities 1/2 everywhere, on half of four pixels: Dice 2*1/(2+2), entropy log 2."""
    config = tiny_config(dice_weight=1.0, entropy_weight=0.5)
    classes = torch.tensor([[[0, 1], [1, 0]]], dtype=torch.uint8)
    loss = student_loss(torch.zeros(1, 1, 2, 2), classes, torch.ones(1), config)
    assert loss.item() == pytest.approx(0.5 + 0.5 * math.log(2), abs=1e-4)


def test_weights_multiply_each_samples_loss(tiny_config: Callable[..., StudentConfig]) -> None:
    config = tiny_config()
    classes = torch.randint(0, 2, (2, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    scores = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    each = [student_loss(scores[i : i + 1], classes[i : i + 1], torch.ones(1), config) for i in range(2)]
    both = student_loss(scores, classes, torch.tensor([1.0, 0.1]), config)
    assert both.item() == pytest.approx((each[0] + 0.1 * each[1]).item() / 2, rel=1e-5)


def test_ignored_pixels_have_no_gradient(tiny_config: Callable[..., StudentConfig]) -> None:
    for loss, outputs in (("dice+bce", 1), ("dice+ce", 2)):
        classes = torch.tensor([[[0, 1], [IGNORED, 1]]], dtype=torch.uint8)
        scores = torch.zeros(1, outputs, 2, 2, requires_grad=True)
        student_loss(scores, classes, torch.ones(1), tiny_config(loss=loss)).backward()
        assert scores.grad is not None
        assert not scores.grad[0, :, 1, 0].any()
        assert scores.grad[0, :, 0, 0].any()


def test_a_label_that_is_absent_is_taught_by_entropy_alone(tiny_config: Callable[..., StudentConfig]) -> None:
    classes = torch.zeros(1, 3, 3, dtype=torch.uint8)
    config = tiny_config(dice_weight=1.0, entropy_weight=0.5)
    loss = student_loss(torch.zeros(1, 1, 3, 3), classes, torch.ones(1), config)
    assert loss.item() == pytest.approx(0.5 * math.log(2), abs=1e-5)
