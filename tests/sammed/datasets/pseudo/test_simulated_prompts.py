"""Simulated prompts: every style says what it should and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sammed.datasets.pseudo.assist_config import PROMPT_STYLES, AssistLabelConfig, PromptStyle
from sammed.datasets.pseudo.prompted import mask_stability
from sammed.datasets.pseudo.simulated_prompts import simulate_prompts
from sammed.errors import ConfigError
from sammed.prompts.placing import PlacedPrompt
from sammed.prompts.prompt import PointSign
from sammed_volumes.labels import default_label

LABELS = (default_label(1), default_label(2))


@pytest.fixture
def truth() -> np.ndarray:
    stack = np.zeros((3, 30, 40), dtype=np.uint8)
    stack[0, 5:15, 5:15] = 1
    stack[0, 18:26, 20:35] = 1  # a second instance
    stack[2, 8:20, 10:25] = 2
    return stack


def prompts(truth: np.ndarray, style: PromptStyle, **settings: Any) -> list[PlacedPrompt]:
    config = AssistLabelConfig(truth=Path("set"), style=style, **settings)
    return list(simulate_prompts(truth, LABELS, config, np.random.default_rng(0)))


@pytest.mark.parametrize("style", PROMPT_STYLES)
def test_each_instance_of_each_label_gets_a_prompt(truth: np.ndarray, style: PromptStyle) -> None:
    placed = prompts(truth, style)
    assert [(each.label.value, each.slice_index) for each in placed] == [(1, 0), (1, 0), (2, 2)]
    for each in placed:
        mask = truth[each.slice_index] == each.label.value
        for (x, y), sign in zip(each.prompt.points_xy_slice, each.prompt.signs, strict=True):
            assert mask[int(y), int(x)] == (sign == PointSign.FOREGROUND)


@pytest.mark.parametrize(
    ("style", "kind", "foreground", "background"),
    [
        ("box", "box", 0, 0),
        ("point", "points", 1, 0),
        ("points", "points", 4, 0),
        ("signed-points", "points", 4, 4),
        ("box+points", "points+box", 4, 0),
    ],
)
def test_a_style_says_so_much(
    truth: np.ndarray, style: PromptStyle, kind: str, foreground: Any, background: Any
) -> None:
    prompt = prompts(truth, style, points=4)[0].prompt
    assert prompt.kind == kind
    assert [int((prompt.signs == sign).sum()) for sign in (1, 0)] == [foreground, background]


def test_an_exact_box_is_the_extent(truth: np.ndarray) -> None:
    placed = prompts(truth, "box", box_inner=0.0, box_outer=0.0)
    np.testing.assert_array_equal(placed[2].prompt.box_xyxy_slice, [10, 8, 24, 19])


def test_a_label_that_fills_the_slice_has_no_point_outside() -> None:
    (placed,) = prompts(np.ones((1, 9, 9), dtype=np.uint8), "signed-points", points=2)
    assert placed.prompt.signs.tolist() == [1, 1]


def test_prompts_come_from_one_place() -> None:
    for folder in (None, Path("a")):
        with pytest.raises(ConfigError, match="either prompts=FOLDER"):
            AssistLabelConfig(prompts=folder, truth=folder)


def test_stability_by_hand() -> None:
    """Thresholds at +1 and -1: 2 of 4 pixels stay; a sure mask keeps all; an empty one has none."""
    logits = torch.tensor(
        [[[2.0, 2.0], [0.5, -0.5]], [[9.0, 9.0], [-9.0, -9.0]], [[-9.0, -9.0], [-9.0, -9.0]]]
    )
    assert mask_stability(logits).tolist() == pytest.approx([0.5, 1.0, 0.0])
