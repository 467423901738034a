"""What a prompt may be, and how errors explain what is wrong with it."""

from typing import Any

import numpy as np
import pytest
import torch

from sammed.errors import PromptError
from sammed.prompts.prompt import PointSign, Prompt

POINTS = np.array([[3.0, 4.0], [5.0, 6.0]])
SIGNS = np.array([PointSign.FOREGROUND, PointSign.BACKGROUND], dtype=np.int64)
BOX = np.array([1.0, 2.0, 9.0, 8.0])
COARSE = torch.zeros(16, 16)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        (Prompt(POINTS, SIGNS), "points"),
        (Prompt(box_xyxy_slice=BOX), "box"),
        (Prompt(POINTS, SIGNS, BOX), "points+box"),
        (Prompt(coarse_logits=COARSE), "coarse"),
        (Prompt(box_xyxy_slice=BOX, coarse_logits=COARSE), "box+coarse"),
        (Prompt(POINTS, SIGNS, BOX, COARSE), "points+box+coarse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_kind_names_what_is_there(prompt: Prompt, kind: str) -> None:
    assert prompt.kind == kind


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "needs a point, a box or a coarse mask"),
        ({"points_xy_slice": POINTS}, "2 points need as many signs, not 0"),
        ({"points_xy_slice": POINTS, "signs": SIGNS[:1]}, "2 points need as many signs, not 1"),
        ({"points_xy_slice": POINTS, "signs": np.array([1, -1])}, "sign is 1 .* or 0"),
        ({"points_xy_slice": POINTS[:, :1], "signs": SIGNS}, "pairs"),
        ({"points_xy_slice": POINTS * np.nan, "signs": SIGNS}, "finite"),
        ({"box_xyxy_slice": np.array([9.0, 2.0, 1.0, 8.0])}, r"\(9, 2, 1, 8\) is inside out"),
        ({"box_xyxy_slice": np.array([1.0, 8.0, 9.0, 2.0])}, "inside out"),
        ({"box_xyxy_slice": np.array([1.0, 8.0, 9.0])}, "four finite numbers"),
        ({"box_xyxy_slice": np.array([1.0, 8.0, 9.0, np.inf])}, "four finite numbers"),
    ],
)
def test_a_wrong_prompt_is_rejected_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(PromptError, match=words):
        Prompt(**fields)


def test_a_box_of_one_pixel_is_a_box() -> None:
    assert Prompt(box_xyxy_slice=np.array([4.0, 4.0, 4.0, 4.0])).kind == "box"


@pytest.mark.parametrize("point", [(-0.5, -0.5), (10.5, 6.5), (3.0, 2.0)])
def test_all_of_a_pixel_is_inside_the_slice(point: tuple[float, float]) -> None:
    Prompt(np.array([point]), SIGNS[:1]).check_inside(height=7, width=11)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt(np.array([[1.0, 1.0], [11.0, 3.0]]), SIGNS), r"Point 2 at \(11, 3\) is outside .* 11 x 7"),
        (Prompt(np.array([[1.0, -0.6]]), SIGNS[:1]), "Point 1"),
        (Prompt(box_xyxy_slice=np.array([1.0, 2.0, 9.0, 8.0])), "box .* reaches outside the slice"),
    ],
)
def test_what_is_outside_the_slice_is_named(prompt: Prompt, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        prompt.check_inside(height=7, width=11)
