"""Choosing by leaving out: the source that is obviously better on the slices left out is taken."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from sammed.auto.annotations import Annotations
from sammed.auto.cross_validation import (
    USUAL_RULE,
    USUAL_WIDTH_SLICES,
    ChoosingConfig,
    best_rule,
    choose,
    leave_out,
)
from sammed.auto.fusion import LARGEST_LOGIT, RADIUS, SOURCES, USUAL_DOUBT, LabelChoice
from sammed.auto.prompting import RULES
from sammed.auto.sap_net import SapNetConfig
from sammed.auto.sap_training import SapLearningConfig
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError

SMALL = SapLearningConfig(network=SapNetConfig(channels=16, position_features=16), learning_rate=0.01)
CONFIG = ChoosingConfig(steps=20)


def discs(slices: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on each slice but the first and the last, far smaller than SAP-Net's cells can draw."""
    rows, columns = np.ogrid[:64, :64]
    truth = np.zeros((slices, 64, 64), dtype=np.uint8)
    for index in range(1, slices - 1):
        truth[index][np.hypot(rows - 25 - index, columns - 30) < 7] = 2
    noise = np.random.default_rng(0).normal(0, 0.01, truth.shape)
    return np.clip(np.where(truth, 0.8, 0.2) + noise, 0, 1), truth


def chosen(
    scan: Scan, annotations: Annotations, config: ChoosingConfig = CONFIG, seed: int = 0
) -> dict[int, LabelChoice]:
    encoders = {label.value: scan.backbone.prompt_encoder for label in annotations.labels}
    return choose(scan, annotations, encoders, SMALL, config, torch.Generator().manual_seed(seed))


def test_a_decoder_that_is_right_has_a_say(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], brightness_backbone: Backbone
) -> None:
    stack, truth = discs()
    config = replace(CONFIG, least_departure=0.003)
    choice = chosen(encode(stack, brightness_backbone), annotate(truth, (2, 3, 5)), config)[2]
    assert choice.source in ("decoder", "mean")
    assert choice.expected_dice is not None
    assert choice.expected_dice > 0.97


def test_a_decoder_that_knows_nothing_does_not_decide(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    """Random weights decode noise; the coarse mask, learned on the same embeddings, is right in the main."""
    stack, truth = discs()
    config = replace(CONFIG, least_departure=0.003)
    choice = chosen(encode(stack, tiny_backbone), annotate(truth, (2, 3, 5)), config)[2]
    assert choice.source in ("coarse", "mean")  # its logits are near 0: the mean's sign is the coarse mask's
    assert choice.expected_dice is not None
    assert choice.expected_dice > 0.4


def test_the_usual_way_stays_unless_another_gains_enough(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    scan = encode(stack, tiny_backbone)
    config = ChoosingConfig(steps=5, least_gain=1.0, least_gain_of_others=1.0, least_departure=1.0)
    choice = chosen(scan, annotate(truth, (2, 3, 5)), config)[2]
    usual_mm = USUAL_WIDTH_SLICES * scan.slicing.slice_spacing_mm
    assert (choice.rule_name, choice.source, choice.smoothing_mm) == (USUAL_RULE, "mean", usual_mm)


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [
        ({"box-margin": 0.80, "box": 0.805, "points": 0.81}, "box-margin"),
        ({"box-margin": 0.80, "box": 0.82, "points": 0.89}, "box"),
        ({"box-margin": 0.80, "box": 0.82, "points": 0.93}, "points"),
        ({"box-margin": 0.50, "box": 0.50, "points": 0.61, "coarse": 0.65, "box-coarse": 0.55}, "coarse"),
    ],
)
def test_other_prompts_than_boxes_must_gain_much(expected: dict[str, float], wanted: str) -> None:
    choices = [LabelChoice(rule_name=name, expected_dice=dice) for name, dice in expected.items()]
    assert best_rule(choices, ChoosingConfig()).rule_name == wanted


def test_of_two_slices_the_source_is_the_usual_one_whatever_leaving_out_says(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    eager = replace(CONFIG, least_departure=0.0)
    choice = chosen(encode(stack, tiny_backbone), annotate(truth, (2, 5)), eager)[2]
    assert choice.source == "mean"
    assert choice.expected_dice is not None


def test_one_slice_alone_gets_the_papers_way_and_no_expectation(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    truth[3, 50:55, 50:55] = 2
    scan = encode(stack, tiny_backbone)
    assert chosen(scan, annotate(truth, (0, 3)))[2] == LabelChoice(components=2)
    # so does a label that only one of several slices shows
    truth[4, :5, :5] = 6
    assert chosen(scan, annotate(truth, (2, 4)))[6] == LabelChoice()


def test_thick_slices_are_not_smoothed_and_their_doubt_is_the_usual(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    annotations = annotate(truth, (2, 3, 5))
    thick = encode(stack, tiny_backbone, spacing_mm=(10.0, 2.0, 2.0))
    left_out = leave_out(thick, annotations, SMALL, CONFIG, torch.Generator().manual_seed(0))
    assert {each.window for each in left_out} == {(2,), (3,), (5,)}
    choice = chosen(thick, annotations)[2]
    assert (choice.smoothing_mm, choice.doubt) == (0, USUAL_DOUBT)
    assert chosen(encode(stack, tiny_backbone), annotations)[2].doubt != USUAL_DOUBT


def test_every_slice_is_left_out_once_with_its_neighbors(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    annotations = annotate(truth, (0, 1, 3, 4, 6))
    left_out = leave_out(
        encode(stack, tiny_backbone), annotations, SMALL, CONFIG, torch.Generator().manual_seed(0)
    )
    assert sorted(each.row for each in left_out) == [0, 1, 2, 3, 4]
    for each in left_out:
        assert each.window[each.middle] == annotations.indices[each.row]
        assert len(each.window) == 2 * RADIUS + 1
        assert each.coarse.shape == (len(each.window), 1, 16, 16)
    first = next(each for each in left_out if each.row == 0)
    assert first.window == (0, 0, 0, 0, 1, 2, 3)


def test_a_slice_left_out_has_taught_nothing(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    """A label that only one slice shows is nowhere on it, for the net that never saw it."""
    stack, truth = discs()
    truth[3, 40:50, 40:50] = 6
    left_out = leave_out(
        encode(stack, tiny_backbone),
        annotate(truth, (2, 3, 5)),
        SMALL,
        CONFIG,
        torch.Generator().manual_seed(0),
    )
    by_row = {each.row: each.coarse for each in left_out}
    assert (by_row[1][:, 1] == -LARGEST_LOGIT).all()
    assert (by_row[0][:, 1] > -LARGEST_LOGIT).any()


def test_the_seed_decides(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    scan, annotations = encode(stack, tiny_backbone), annotate(truth, (2, 5))
    assert chosen(scan, annotations) == chosen(scan, annotations)


def test_what_is_chosen_can_be_applied_and_progress_hears_of_each_label(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    stack, truth = discs()
    truth[2:6, 40:50, 40:50] = 6
    heard: list[int] = []
    annotations = annotate(truth, (2, 5))
    encoders = dict.fromkeys((2, 6), tiny_backbone.prompt_encoder)
    choices = choose(
        encode(stack, tiny_backbone), annotations, encoders, SMALL, CONFIG, torch.Generator(), heard.append
    )
    assert heard == [1, 1]
    assert choices.keys() == {2, 6}
    for choice in choices.values():
        assert choice.rule_name in RULES
        assert choice.source in SOURCES
        assert 0 <= choice.expected_dice <= 1


@pytest.mark.parametrize(
    "settings",
    [
        {"folds": 1},
        {"steps": 0},
        {"least_gain": -0.1},
        {"least_gain_of_others": -0.1},
        {"fewest_shown": 1},
        {"thickest_smoothed_mm": -1.0},
    ],
)
def test_refuses_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ChoosingConfig(**settings)
