"""Fusion: mixing two masks, and smoothing along the slices against scipy's Gaussian."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from sammed.auto.fusion import LARGEST_LOGIT, MASKS_FROM, RADIUS, mix, smooth
from sammed.auto.label_choice import LabelChoice
from sammed.auto.prompting import PAPER_RULE, RULES
from sammed.errors import ConfigError


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 4


def test_mixing_by_hand() -> None:
    coarse, decoded = torch.tensor([[[1.0, -9.0, 3.0]]]), torch.tensor([[[-3.0, 20.0, 5.0]]])
    assert mix(coarse, decoded, "coarse").tolist() == [[[1.0, -6.0, 3.0]]]
    assert mix(coarse, decoded, "decoder").tolist() == [[[-3.0, 6.0, 5.0]]]
    assert mix(coarse, decoded, "mean").tolist() == [[[-1.0, 0.0, 4.0]]]


def test_mixing_leaves_its_arguments_alone() -> None:
    coarse, decoded = random(2, 3, 3), random(2, 3, 3) * 9
    before = coarse.clone(), decoded.clone()
    for mask_from in MASKS_FROM:
        mix(coarse, decoded, mask_from).add_(1)
    assert torch.equal(coarse, before[0])
    assert torch.equal(decoded, before[1])


def test_without_a_decoder_there_is_the_coarse_mask() -> None:
    assert mix(torch.tensor([[[9.0]]]), None, "coarse").item() == LARGEST_LOGIT


@pytest.mark.parametrize("width", [0.75, 1.5, 2.25])
def test_smoothing_is_scipys_gaussian(width: float) -> None:
    logits = random(15, 4, 4)
    expected = ndimage.gaussian_filter1d(
        logits.double().numpy(), width, axis=0, mode="nearest", radius=RADIUS
    )
    np.testing.assert_allclose(smooth(logits, width).numpy(), expected, atol=1e-5)


def test_smoothing_keeps_the_mean() -> None:
    logits = torch.zeros(20, 2, 2)
    logits[8:11] = random(3, 2, 2)  # far enough from both ends
    torch.testing.assert_close(smooth(logits, 1.5).sum(0), logits.sum(0), atol=1e-4, rtol=1e-4)


def test_a_constant_stays_so_up_to_the_ends() -> None:
    logits = random(1, 3, 3).expand(7, -1, -1)
    torch.testing.assert_close(smooth(logits, 2.25), logits)


def test_pixels_of_a_slice_do_not_mix() -> None:
    logits = torch.zeros(9, 5, 5)
    logits[4, 2, 2] = 1.0
    assert set(smooth(logits, 1.5).nonzero()[:, 1:].flatten().tolist()) == {2}


def test_no_width_changes_nothing() -> None:
    logits = random(5, 2, 2)
    assert torch.equal(smooth(logits, 0.0), logits)


@pytest.mark.parametrize("count", [1, 2])
def test_stacks_shorter_than_the_window_are_smoothed_too(count: int) -> None:
    logits = random(count, 2, 2)
    expected = ndimage.gaussian_filter1d(logits.numpy(), 1.5, axis=0, mode="nearest", radius=RADIUS)
    np.testing.assert_allclose(smooth(logits, 1.5).numpy(), expected, atol=1e-5)


def test_half_precision_stays_half() -> None:
    assert smooth(random(5, 2, 2).half(), 1.5).dtype == torch.float16


def test_the_default_choice_is_the_papers_plain_way() -> None:
    choice = LabelChoice()
    assert (choice.rule, choice.mask_from, choice.smoothing_mm) == (PAPER_RULE, "decoder", 0.0)
    assert LabelChoice(rule_name="box-points").rule is RULES["box-points"]


@pytest.mark.parametrize(
    "settings",
    [{"rule_name": "guess"}, {"mask_from": "both"}, {"components": 0}, {"smoothing_mm": -1.0}],
    ids=lambda settings: next(iter(settings)),
)
def test_rejects_choices_that_do_not_exist(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LabelChoice(**settings)
