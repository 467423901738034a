"""The settings of learning."""

import pytest

from sammed.assist.config import AssistConfig
from sammed.errors import ConfigError


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        (AssistConfig(prompts="points"), {"points"}),
        (AssistConfig(prompts="boxes"), {"box"}),
        (AssistConfig(prompts="boxes", coarse=True), {"box", "coarse", "box+coarse"}),
        (AssistConfig(prompts="composite", coarse=False), {"points", "box", "points+box"}),
        (AssistConfig(), {"points", "box", "points+box", "coarse", "box+coarse"}),
    ],
)
def test_the_kinds_follow_from_what_is_to_be_learned(config, kinds):
    assert set(config.kinds) == kinds


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("prompts", "scribbles"),
        ("scheme", "middle"),
        ("most_points", 1),
        ("steps", 0),
        ("batch_size", 0),
        ("least_pixels", 0),
        ("patience", 0),
        ("near_share", 1.1),
        ("box_inner", 0.5),
        ("box_outer", -0.1),
        ("learning_rate", 0.0),
        ("point_learning_rate", 0.0),
        ("point_share", 0),
        ("box_share", 0),
        ("least_fall", 1.0),
    ],
)
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(ConfigError, match=setting):
        AssistConfig(**{setting: value})
