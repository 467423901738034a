"""The settings of learning."""

from typing import Any

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
def test_the_kinds_follow_from_what_is_to_be_learned(config: AssistConfig, kinds: set[str]) -> None:
    assert {*config.point_schedule.kinds, *config.box_schedule.kinds} == kinds
    assert set(config.point_schedule.kinds) <= {"points"}, "the encoder for points learns points alone"


def test_only_the_schedules_that_teach_something_count_as_steps() -> None:
    assert AssistConfig(steps=5, point_steps=7).most_steps == 12
    assert AssistConfig(prompts="boxes", steps=5, point_steps=7).most_steps == 5
    assert AssistConfig(prompts="points", steps=5, point_steps=7).most_steps == 7


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
        ("point_steps", 0),
        ("point_batch_size", 0),
        ("point_momentum", (1.0, 0.9)),
        ("least_fall", 1.0),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=setting):
        AssistConfig(**{setting: value})
