"""From an activation map to prompts: pseudo mask, box, point."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.datasets.pseudo.cam.config import CamConfig, CamPrompt, ClassifierConfig
from sammed.datasets.pseudo.cam.map_prompts import map_prompts, pseudo_mask, truth_prompts
from sammed.errors import ConfigError
from sammed.prompts.prompt import PointSign


@pytest.fixture
def map_() -> np.ndarray:
    """A block of 0.7 (rows 4-8, columns 6-14) whose maximum lies in its corner, and a lesser block."""
    made = np.full((23, 29), 0.1)
    made[4:9, 6:15] = 0.7
    made[4, 6] = 1.0
    made[15:18, 20:23] = 0.6
    return made


@pytest.mark.parametrize(
    ("prompts", "kind"), [("box", "box"), ("box+point", "points+box"), ("point", "points")]
)
def test_each_kind_of_prompt(map_: np.ndarray, prompts: CamPrompt, kind: str) -> None:
    (prompt,) = map_prompts(map_, CamConfig(prompts=prompts))
    assert prompt.kind == kind
    if prompts != "point":
        np.testing.assert_array_equal(prompt.box_xyxy_slice, [6, 4, 14, 8])
    if prompts != "box":
        assert prompt.points_xy_slice.tolist() == [[10, 6]]
        assert prompt.signs.tolist() == [PointSign.FOREGROUND]


def test_the_maximum_is_where_the_map_is_highest(map_: np.ndarray) -> None:
    (prompt,) = map_prompts(map_, CamConfig(prompts="point", point="maximum"))
    assert prompt.points_xy_slice.tolist() == [[6, 4]]


def test_the_threshold_says_what_belongs_to_the_pseudo_mask(map_: np.ndarray) -> None:
    assert pseudo_mask(map_, 0.65).sum() == 45
    assert pseudo_mask(map_, 0.55).sum() == 54
    assert len(list(map_prompts(map_, CamConfig(threshold=0.55, most_regions=2)))) == 2


def test_a_map_of_zeros_has_no_prompt() -> None:
    assert list(map_prompts(np.zeros((5, 7)), CamConfig())) == []


def test_the_truth_is_prompted_in_its_center(map_: np.ndarray) -> None:
    (prompt,) = truth_prompts(map_ > 0.65, CamConfig(prompts="box+point", point="maximum"))
    assert prompt.points_xy_slice.tolist() == [[10, 6]]
    np.testing.assert_array_equal(prompt.box_xyxy_slice, [6, 4, 14, 8])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"layer": "fc"}, "layer is 'fc'"),
        ({"prompts": "mask"}, "prompts is 'mask'"),
        ({"most_regions": 0}, "most_regions is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        CamConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"network": "vgg16"}, "network is 'vgg16'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"held_out": 0.0}, "held_out is 0.0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"sharpness": 0.0}, "sharpness is 0.0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"network": "embedding", "weights": Path(__file__)}, "weights are for a ResNet"),
        ({"image_size": 16}, "image_size is 16"),
        ({"epochs": 0}, "epochs is 0"),
        ({"weights": Path("nowhere.pth")}, r"no weights file nowhere\.pth"),
    ],
)
def test_a_classifiers_settings_out_of_range_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ClassifierConfig(**settings)
