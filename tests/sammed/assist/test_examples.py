"""Instances on annotated slices, and the prompts that are sampled for them."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sammed.assist.config import AssistConfig
from sammed.assist.examples import Example, gather_examples, sample_prompt
from sammed.backbones.backbone import Backbone

if TYPE_CHECKING:
    from tests.sammed.assist.conftest import Slices

CONFIG = AssistConfig(least_pixels=4)


@pytest.fixture(scope="module")
def examples(slices: "Slices") -> list[Example]:
    return list(gather_examples(slices.masks, slices.frame, "uniform", 4))


def test_there_is_an_example_for_each_instance(examples: list[Example]) -> None:
    assert [example.row for example in examples] == [0, 1, 1]  # the third slice has no label


def test_targets_are_the_instance_or_the_whole_label(examples: list[Example], slices: "Slices") -> None:
    whole = slices.frame.masks_to_mask_grid(torch.from_numpy(slices.masks))
    _, first, second = examples
    assert torch.equal(first.target_of("points") + second.target_of("box"), whole[1])
    assert torch.equal(first.target_of("coarse"), whole[1])
    assert not torch.equal(first.target_of("box+coarse"), whole[1])


def test_foreground_points_lie_in_the_instance_and_background_points_outside_the_label(
    examples: list[Example], slices: "Slices"
) -> None:
    rng = np.random.default_rng(0)
    small = examples[2]
    for _ in range(20):
        prompt = sample_prompt(small, "points", 5, CONFIG, rng)
        x, y = prompt.points_xy_slice.astype(int).T
        signs = prompt.signs.astype(bool)
        assert signs.sum() == 5
        assert len(signs) == 10
        assert (x[signs] >= 36).all()  # the small blob's columns
        assert slices.masks[1, y[signs], x[signs]].all()
        assert not slices.masks[1, y[~signs], x[~signs]].any()


@pytest.mark.parametrize(("near_share", "far"), [(1.0, 0.0), (0.0, 0.5)])
def test_near_share_samples_background_points_around_the_instance(
    examples: list[Example], near_share: float, far: float
) -> None:
    rng = np.random.default_rng(1)
    config = AssistConfig(near_share=near_share)
    prompts = [sample_prompt(examples[2], "points", 5, config, rng) for _ in range(20)]
    outside = np.concatenate([prompt.points_xy_slice[prompt.signs == 0] for prompt in prompts])
    low, high = np.array([36, 3]) - 5, np.array([44, 10]) + 5
    apart = ((outside < low) | (outside > high)).any(axis=1)
    assert apart.mean() >= far
    assert near_share < 1 or not apart.any()


def test_a_label_that_fills_the_slice_leaves_no_background(tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(8, 8, (1.0, 1.0))
    (example,) = gather_examples(np.ones((1, 8, 8), dtype=bool), frame, "uniform", 4)
    prompt = sample_prompt(example, "points", 3, CONFIG, np.random.default_rng(0))
    assert prompt.signs.tolist() == [1] * 6


@pytest.mark.parametrize("kind", [*CONFIG.point_schedule.kinds, *CONFIG.box_schedule.kinds])
def test_a_prompt_is_of_the_kind_asked_for(examples: list[Example], kind: str) -> None:
    prompt = sample_prompt(examples[0], kind, 2, CONFIG, np.random.default_rng(0))
    assert prompt.kind == kind
    assert prompt.count == (4 if "points" in kind else 0)
