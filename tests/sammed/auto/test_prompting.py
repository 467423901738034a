"""Prompts from coarse masks: every rule on odd shapes writes what the prompt encoder can take."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.auto.prompting import (
    PAPER_RULE,
    POINTS,
    RULES,
    PromptRule,
    coarse_on_mask_grid,
    write_prompts,
)
from sammed.backbones.frame import Frame
from sammed.errors import ConfigError
from sammed.prompts.prompt import PointSign, Prompt

FRAME = Frame(height=48, width=64, pixel_spacing_mm=(1.0, 1.0), size=64, mask_size=64)
ROWS, COLUMNS = np.ogrid[:48, :64]
RADIUS = np.hypot(ROWS - 24, COLUMNS - 30)


def box(*sides: int) -> np.ndarray:
    mask = np.zeros((48, 64), dtype=bool)
    top, bottom, left, right = sides
    mask[top:bottom, left:right] = True
    return mask


SHAPES = {
    "disc": RADIUS < 12,
    "ring": (RADIUS < 18) & (RADIUS > 12),
    "one pixel": box(10, 11, 20, 21),
    "row of pixels": box(30, 31, 3, 60),
    "column at the edge": box(0, 48, 63, 64),
    "corner": box(0, 5, 0, 5),
    "whole slice": box(0, 48, 0, 64),
    "two pieces": box(5, 15, 5, 15) | box(30, 45, 40, 62),
    "speckle": (ROWS * 7 + COLUMNS * 13) % 11 == 0,
}


def coarse_of(mask: np.ndarray) -> Tensor:
    """Coarse logits on the mask grid, of which the slice is the upper part."""
    logits = torch.full((64, 64), -4.0)
    logits[:48][torch.from_numpy(mask)] = 4.0
    return logits


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_rule_writes_valid_prompts_on_every_shape(shape: str, rule: PromptRule) -> None:
    mask = SHAPES[shape]
    prompts = list(write_prompts(coarse_of(mask), FRAME, rule))
    assert prompts
    for prompt in prompts:  # a Prompt checks itself when it is made
        prompt.check_inside(FRAME.height, FRAME.width)
        assert (prompt.box_xyxy_slice is not None) == rule.box
        assert (prompt.coarse_logits is not None) == rule.coarse
        assert (prompt.count > 0) == rule.points
        for (x, y), sign in zip(prompt.points_xy_slice.astype(int), prompt.signs, strict=True):
            assert mask[y, x] == (sign == PointSign.FOREGROUND)
        assert len(np.unique(prompt.points_xy_slice, axis=0)) == prompt.count


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_slice_with_nothing_gets_no_prompt(rule: PromptRule) -> None:
    assert list(write_prompts(torch.full((64, 64), -4.0), FRAME, rule)) == []


def test_what_lies_in_the_padding_is_nothing() -> None:
    logits = torch.full((64, 64), -4.0)
    logits[52:60, 10:20] = 4.0
    assert list(write_prompts(logits, FRAME, PAPER_RULE)) == []


def box_of(prompt: Prompt) -> np.ndarray:
    assert prompt.box_xyxy_slice is not None
    return prompt.box_xyxy_slice


def test_the_paper_rule_is_a_box_around_each_piece() -> None:
    prompts = list(write_prompts(coarse_of(SHAPES["two pieces"]), FRAME, PAPER_RULE))
    assert [box_of(prompt).tolist() for prompt in prompts] == [[40, 30, 61, 44], [5, 5, 14, 14]]


def test_a_margin_widens_the_box_by_a_share_of_its_sides() -> None:
    (plain,) = write_prompts(coarse_of(box(10, 30, 20, 60)), FRAME, PAPER_RULE)
    (wide,) = write_prompts(coarse_of(box(10, 30, 20, 60)), FRAME, RULES["box-margin"])
    # 40 wide and 20 high, 10 percent on each side
    np.testing.assert_allclose(box_of(wide) - box_of(plain), [-4, -2, 4, 2])


def test_points_lie_apart_and_deep_inside() -> None:
    (prompt,) = write_prompts(coarse_of(SHAPES["disc"]), FRAME, RULES["points"])
    inside = prompt.points_xy_slice[prompt.signs == PointSign.FOREGROUND]
    outside = prompt.points_xy_slice[prompt.signs == PointSign.BACKGROUND]
    assert (len(inside), len(outside)) == (POINTS, POINTS)
    assert np.hypot(*(inside[0] - (30, 24))) < 2  # the first is the deepest
    for points in (inside, outside):
        apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
        assert apart[~np.eye(POINTS, dtype=bool)].min() > 5


def test_the_hole_of_a_ring_gets_no_foreground_point_and_may_get_a_background_one() -> None:
    """In the hole the coarse mask is surest that there is nothing, so a point there tells most."""
    logits = coarse_of(SHAPES["ring"])
    logits[:48][torch.from_numpy(RADIUS < 8)] = -12.0
    (prompt,) = write_prompts(logits, FRAME, RULES["points"])
    distances = np.hypot(*(prompt.points_xy_slice - (30, 24)).T)
    assert (distances[prompt.signs == PointSign.FOREGROUND] > 11.5).all()
    assert (distances[prompt.signs == PointSign.BACKGROUND] < 9).any()


def test_background_points_are_never_in_another_piece() -> None:
    mask = box(10, 20, 10, 20) | box(10, 20, 22, 32)  # each lies in the other's surroundings
    for prompt in write_prompts(coarse_of(mask), FRAME, RULES["box-points"]):
        x, y = prompt.points_xy_slice[prompt.signs == PointSign.BACKGROUND].astype(int).T
        assert not mask[y, x].any()


def test_the_coarse_mask_alone_is_one_prompt_for_all_pieces() -> None:
    coarse = coarse_of(SHAPES["two pieces"])
    (prompt,) = write_prompts(coarse, FRAME, RULES["coarse"])
    assert prompt.kind == "coarse"
    assert prompt.coarse_logits is not None
    assert torch.equal(prompt.coarse_logits, coarse)


def test_a_slice_in_another_grid_is_prompted_in_its_own_pixels() -> None:
    frame = Frame(height=24, width=24, pixel_spacing_mm=(1.0, 1.0), size=64, mask_size=64)
    logits = torch.full((64, 64), -4.0)
    logits[16:32, 32:48] = 4.0  # rows 6 to 11 and columns 12 to 17 of 24
    (prompt,) = write_prompts(logits, frame, PAPER_RULE)
    np.testing.assert_allclose(box_of(prompt), [12, 6, 17, 11])


def test_coarse_logits_grow_to_the_mask_grid_cell_by_cell() -> None:
    coarse = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0))
    grown = coarse_on_mask_grid(coarse, FRAME)
    assert grown.shape == (2, 64, 64)
    cells = grown.reshape(2, 16, 4, 16, 4)
    middle = cells[:, 1:-1, 1:3, 1:-1, 1:3].mean((2, 4))
    assert torch.corrcoef(torch.stack([middle.flatten(), coarse[:, 1:-1, 1:-1].flatten()]))[0, 1] > 0.98


def test_rejects_a_rule_that_writes_nothing() -> None:
    with pytest.raises(ConfigError, match="writes no prompt"):
        PromptRule("silence")
