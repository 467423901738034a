"""Boxes around masks, their margins and their jitter."""

import numpy as np
import pytest

from sammed.errors import ConfigError, PromptError
from sammed.prompts.boxes import box_around, jitter_box

SHAPE = (50, 80)  # H, W


def test_a_box_names_first_and_last_pixels() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:15, 20:31] = True
    assert box_around(mask).tolist() == [20, 10, 30, 14]


def test_a_margin_is_a_share_of_each_side() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:20, 20:40] = True  # 20 wide, 10 high
    assert box_around(mask, 0.1).tolist() == [18, 9, 41, 20]


def test_a_margin_stops_at_the_slice() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0:20, 60:80] = True
    assert box_around(mask, 0.5).tolist() == [50, 0, 79, 29]


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(PromptError, match="empty mask"):
        box_around(np.zeros(SHAPE, dtype=bool))


def test_jitter_moves_each_side_by_itself_and_fills_its_range() -> None:
    box = np.array([20.0, 10.0, 59.0, 29.0])  # 40 wide, 20 high
    rng = np.random.default_rng(0)
    moves = np.array([jitter_box(box, 0.1, 0.2, SHAPE, rng) - box for _ in range(500)])
    outward = moves * [-1, -1, 1, 1] / [40, 20, 40, 20]
    assert outward.min() >= -0.1
    assert outward.max() <= 0.2
    assert (outward.min(axis=0) < -0.09).all()
    assert (outward.max(axis=0) > 0.19).all()
    correlation = np.corrcoef(outward.T) - np.eye(4)
    assert np.abs(correlation).max() < 0.2


def test_no_jitter_leaves_the_box() -> None:
    box = np.array([20.0, 10.0, 59.0, 29.0])
    assert (jitter_box(box, 0.0, 0.0, SHAPE, np.random.default_rng(0)) == box).all()


@pytest.mark.parametrize("box", [[4.0, 4.0, 4.0, 4.0], [0.0, 0.0, 79.0, 49.0], [79.0, 49.0, 79.0, 49.0]])
def test_a_jittered_box_is_never_inside_out_or_outside(box: list[float]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        x0, y0, x1, y1 = jitter_box(np.array(box), 0.49, 0.5, SHAPE, rng)
        assert 0 <= x0 <= x1 <= 79
        assert 0 <= y0 <= y1 <= 49


@pytest.mark.parametrize(("inner", "outer"), [(0.5, 0.1), (-0.1, 0.1), (0.1, -0.1)])
def test_jitter_out_of_range_is_rejected(inner: float, outer: float) -> None:
    with pytest.raises(ConfigError, match="jitter"):
        jitter_box(np.array([1.0, 1.0, 9.0, 9.0]), inner, outer, SHAPE, np.random.default_rng(0))
