"""From probabilities to prompts: which regions count, where boxes and points lie."""

from typing import Any

import numpy as np
import pytest

from sammed.datasets.pseudo.coarse.config import RegionConfig
from sammed.datasets.pseudo.coarse.region_prompts import main_regions, region_prompts
from sammed.datasets.pseudo.middle import middle
from sammed.errors import ConfigError
from sammed.prompts.prompt import PointSign

SHAPE = (31, 37)


def map_of(*blocks: tuple[slice, slice], inside: float = 0.9, outside: float = 0.02) -> np.ndarray:
    """Probabilities H W: `inside` in the blocks (rows, columns), `outside` elsewhere."""
    probability = np.full(SHAPE, outside)
    for block in blocks:
        probability[block] = inside
    return probability


LARGE = (slice(3, 13), slice(5, 16))  # 110 pixels
MEDIUM = (slice(18, 26), slice(20, 26))  # 48 pixels
SPECK = (slice(28, 30), slice(2, 5))  # 6 pixels


def test_the_box_is_the_extent_of_each_main_region() -> None:
    found = list(region_prompts(map_of(LARGE, MEDIUM, SPECK), "box", RegionConfig()))
    boxes = [prompt.box_xyxy_slice for prompt in found]
    np.testing.assert_array_equal(boxes, [[5, 3, 15, 12], [20, 18, 25, 25]])


def test_a_region_small_beside_the_largest_is_noise() -> None:
    mask = map_of(LARGE, MEDIUM) > 0.5
    assert len(main_regions(mask, RegionConfig(least_share=0.4))) == 2  # 48 of 110 pixels
    assert len(main_regions(mask, RegionConfig(least_share=0.5))) == 1


def test_no_more_regions_than_asked_for() -> None:
    assert len(main_regions(map_of(LARGE, MEDIUM) > 0.5, RegionConfig(most_regions=1))) == 1


@pytest.mark.parametrize("probability", [map_of(), map_of(SPECK)], ids=["empty", "specks alone"])
def test_an_empty_coarse_mask_has_no_prompt(probability: np.ndarray) -> None:
    assert list(region_prompts(probability, "box", RegionConfig())) == []
    assert list(region_prompts(probability, "points", RegionConfig())) == []


def test_points_are_the_middle_and_low_probabilities() -> None:
    probability = map_of(LARGE, outside=0.3)
    probability[20:, 30:] = 0.01  # the only pixels of low probability
    (prompt,) = region_prompts(probability, "points", RegionConfig(negatives=2))
    assert prompt.signs.tolist() == [PointSign.FOREGROUND, PointSign.BACKGROUND, PointSign.BACKGROUND]
    x, y = prompt.points_xy_slice[0]
    assert (x, y) == (10, 8) or abs(y - 7.5) <= 0.5
    for x, y in prompt.points_xy_slice[1:].astype(int):
        assert probability[y, x] == 0.01
    apart = np.abs(prompt.points_xy_slice[1] - prompt.points_xy_slice[2]).max()
    assert apart >= 5, "the negatives lie together"


def test_where_nothing_is_unlikely_there_is_no_negative() -> None:
    (prompt,) = region_prompts(map_of(LARGE, outside=0.3), "points", RegionConfig())
    assert prompt.signs.tolist() == [PointSign.FOREGROUND]


def test_the_middle_of_a_ring_lies_in_the_ring() -> None:
    y, x = np.mgrid[:31, :37]
    radius = np.hypot(y - 15, x - 18)
    ring = (radius > 6) & (radius < 12)
    found_x, found_y = middle(ring).astype(int)
    assert ring[found_y, found_x]
    assert 8 <= radius[found_y, found_x] <= 10, "not deep inside"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"least_pixels": 0}, "least_pixels is 0"),
        ({"low_probability": 0.6}, "the former must be lower"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        RegionConfig(**settings)
