"""Cross-validation: what is obviously better on the held-out slices is chosen, and nothing else.

In the first part the coarse masks and the decoder are staged: they are right or wrong by plan, so the best
choice is known. In the second part both are real.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.auto import cross_validation, mixture
from sammed.auto.cross_validation import (
    USUAL_RULE,
    USUAL_WIDTH_SLICES,
    WIDTHS_SLICES,
    CrossValidationConfig,
    best_rule,
    cross_validate,
)
from sammed.auto.fusion import MASKS_FROM, RADIUS, MaskFrom
from sammed.auto.held_out import HeldOut
from sammed.auto.label_choice import LabelChoice
from sammed.auto.prompting import RULES, PromptRule
from sammed.auto.sap_net import SapNetConfig
from sammed.auto.sap_training import SapTrainingConfig
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError

SMALL = SapTrainingConfig(network=SapNetConfig(channels=16, position_features=16), learning_rate=0.01)
CONFIG = CrossValidationConfig(steps=20)
Discs = tuple[np.ndarray, np.ndarray]


def chosen(
    scan: Scan, annotations: Annotations, config: CrossValidationConfig = CONFIG, seed: int = 0
) -> dict[int, LabelChoice]:
    encoders = {label.value: scan.backbone.prompt_encoder for label in annotations.labels}
    return cross_validate(scan, annotations, encoders, SMALL, config, torch.Generator().manual_seed(seed))


# Staged


def square(left: int, top: int = 16, side: int = 24) -> np.ndarray:
    """A mask H W whose border runs along the cells of the embedding grid, 4 x 4 pixels each."""
    mask = np.zeros((64, 64), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def logits_of(masks: np.ndarray, size: float) -> Tensor:
    """`size` inside the masks and -`size` outside."""
    return torch.from_numpy(np.where(masks, size, -size).astype(np.float32))


Decode = Callable[[Sequence[int], PromptRule, nn.Module], Tensor]


@dataclass
class Stage:
    """A scan of nine thin slices whose coarse masks and decoder are given."""

    scan: Scan
    annotate: Callable[..., Annotations]
    monkeypatch: pytest.MonkeyPatch
    decoded: list[tuple[str, int]] = field(default_factory=list)
    trained: list[SapTrainingConfig] = field(default_factory=list)

    def choose(
        self,
        truth: np.ndarray,
        coarse: Mapping[int, Tensor],
        decode: Decode,
        rows: tuple[int, ...] = (1, 4, 7),
        config: CrossValidationConfig = CONFIG,
        encoders: Mapping[int, nn.Module] | None = None,
        training: SapTrainingConfig = SMALL,
    ) -> dict[int, LabelChoice]:
        """Cross-validate with `coarse` logits S 64 64 by label value, and those that `decode` returns."""
        annotations = self.annotate(truth, rows)
        cells = torch.stack([coarse[label.value] for label in annotations.labels], dim=1)[:, :, 2::4, 2::4]

        def hold_out(
            _scan: Scan,
            _annotations: Annotations,
            training: SapTrainingConfig,
            _folds: int,
            radius: int,
            _generator: torch.Generator,
        ) -> list[HeldOut]:
            self.trained.append(training)
            windows = [
                tuple(min(max(index + offset, 0), len(truth) - 1) for offset in range(-radius, radius + 1))
                for index in rows
            ]
            return [HeldOut(row, window, cells[list(window)]) for row, window in enumerate(windows)]

        def decode_coarse(
            _scan: Scan, encoder: nn.Module, indices: Sequence[int], _coarse: Tensor, rule: PromptRule
        ) -> Tensor:
            self.decoded.append((rule.name, len(indices)))
            return decode(indices, rule, encoder)

        self.monkeypatch.setattr(cross_validation, "hold_out", hold_out)
        self.monkeypatch.setattr(cross_validation, "decode_coarse", decode_coarse)
        self.monkeypatch.setattr(
            mixture,
            "decode_coarse",
            lambda _scan, encoder, indices, _coarse, rule: decode(indices, rule, encoder),
        )
        own = encoders or {label.value: nn.Identity() for label in annotations.labels}
        return cross_validate(self.scan, annotations, own, training, config, torch.Generator())


@pytest.fixture
def stage(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    scan = encode(np.zeros((9, 64, 64)), tiny_backbone, spacing_mm=(2.0, 1.0, 1.0))
    return Stage(scan, annotate, monkeypatch)


ALIKE = np.repeat(2 * square(16)[None].astype(np.uint8), 9, axis=0)
"""Nine slices that show the same square, label 2."""

RIGHT = logits_of(ALIKE == 2, 5.0)
WRONG = logits_of(np.repeat(square(32)[None], 9, axis=0), 5.0)
SILENT = torch.full((9, 64, 64), -0.01)
"""Coarse masks that are empty, and so little sure of it that the decoder alone decides in the mean."""


def decoding(by_rule: Mapping[str, Tensor], otherwise: Tensor) -> Decode:
    return lambda indices, rule, _: by_rule.get(rule.name, otherwise)[list(indices)]


@pytest.mark.parametrize("best", RULES)
def test_the_rule_that_decodes_best_is_chosen(best: str, stage: Stage) -> None:
    choice = stage.choose(ALIKE, {2: SILENT}, decoding({best: RIGHT}, WRONG))[2]
    assert choice.rule_name == best
    assert choice.expected_dice == 1.0


@pytest.mark.parametrize("best", RULES)
def test_of_two_labels_each_gets_its_own_rule_and_encoder(best: str, stage: Stage) -> None:
    """What is right for one label is wrong for the other, and by the other's encoder all is wrong."""
    truth = ALIKE.copy()
    truth[:, 48:60, 48:60] = 6
    encoders = {2: nn.Identity(), 6: nn.Identity()}
    other = logits_of(truth == 6, 5.0)

    def decode(indices: Sequence[int], rule: PromptRule, encoder: nn.Module) -> Tensor:
        if encoder is encoders[2]:
            return (RIGHT if rule.name == best else WRONG)[list(indices)]
        return (other if rule.name == "coarse" else WRONG)[list(indices)]

    choices = stage.choose(truth, {2: SILENT, 6: SILENT}, decode, encoders=encoders)
    assert {value: choice.rule_name for value, choice in choices.items()} == {2: best, 6: "coarse"}
    assert [choice.expected_dice for choice in choices.values()] == [1.0, 1.0]


def test_the_coarse_masks_of_each_label_are_its_own(stage: Stage) -> None:
    truth = ALIKE.copy()
    truth[:, 48:60, 48:60] = 6
    coarse = {2: logits_of(truth == 2, 5.0), 6: logits_of(truth == 6, 5.0)}
    choices = stage.choose(truth, coarse, decoding({}, WRONG))
    assert [choice.mask_from for choice in choices.values()] == ["coarse", "coarse"]
    assert all((choice.expected_dice or 0) > 0.98 for choice in choices.values())


CASES: dict[MaskFrom, tuple[Tensor, Tensor]] = {  # coarse and decoded logits
    "decoder": (WRONG, RIGHT * 0.5),
    "coarse": (RIGHT * 0.5, WRONG),
    # Each misses the half that the other is sure of.
    "mean": (
        logits_of(np.repeat(square(16, side=24)[None], 9, axis=0), 5.0)
        - 5.5 * torch.from_numpy(np.repeat(square(28, side=24)[None], 9, axis=0).astype(np.float32)),
        logits_of(np.repeat(square(16, side=24)[None], 9, axis=0), 5.0)
        - 5.5 * torch.from_numpy(np.repeat(square(4, side=24)[None], 9, axis=0).astype(np.float32)),
    ),
}


@pytest.mark.parametrize("best", MASKS_FROM)
def test_the_mask_that_is_best_is_chosen(best: MaskFrom, stage: Stage) -> None:
    coarse, decoded = CASES[best]
    choice = stage.choose(ALIKE, {2: coarse}, decoding({}, decoded))[2]
    assert choice.mask_from == best
    assert choice.expected_dice is not None
    assert choice.expected_dice > 0.95


@pytest.mark.parametrize(("share", "expected"), [(0.99, "decoder"), (1.01, "mean")])
def test_another_mask_must_gain_more_than_the_least_departure(
    share: float, expected: str, stage: Stage
) -> None:
    """The mean is the wrong square, which covers a third of the right one; the decoder's Dice is 1."""
    config = replace(CONFIG, least_departure=share * (1 - 1 / 3))
    choice = stage.choose(ALIKE, {2: WRONG}, decoding({}, RIGHT * 0.1), config=config)[2]
    assert choice.mask_from == expected


@pytest.mark.parametrize(("rows", "expected"), [((1, 4), "mean"), ((1, 4, 7), "decoder")])
def test_with_too_few_slices_the_mask_is_the_usual_one(
    rows: tuple[int, ...], expected: str, stage: Stage
) -> None:
    choice = stage.choose(ALIKE, {2: WRONG}, decoding({}, RIGHT * 0.5), rows)[2]
    assert choice.mask_from == expected


@pytest.mark.parametrize("best", [USUAL_WIDTH_SLICES, *WIDTHS_SLICES])
def test_the_width_that_smooths_best_is_chosen(best: float, stage: Stage) -> None:
    def smooth(window: Tensor, width_slices: float) -> Tensor:
        return (RIGHT if width_slices == best else WRONG)[: len(window)]

    stage.monkeypatch.setattr(cross_validation, "smooth", smooth)
    choice = stage.choose(ALIKE, {2: RIGHT}, decoding({}, RIGHT))[2]
    assert choice.smoothing_mm == best * 2.0  # mm between slices
    assert choice.expected_dice == 1.0


@pytest.mark.parametrize(("share", "expected"), [(0.99, 0.0), (1.01, USUAL_WIDTH_SLICES)])
def test_another_width_must_gain_more_than_the_least_departure(
    share: float, expected: float, stage: Stage
) -> None:
    def smooth(_window: Tensor, width_slices: float) -> Tensor:
        return RIGHT if width_slices == 0 else WRONG

    stage.monkeypatch.setattr(cross_validation, "smooth", smooth)
    config = replace(CONFIG, least_departure=share * (1 - 1 / 3))
    choice = stage.choose(ALIKE, {2: RIGHT}, decoding({}, RIGHT), config=config)[2]
    assert choice.smoothing_mm == expected * 2.0


@pytest.mark.parametrize(
    ("weak", "expected"),
    [("annotated slices", USUAL_WIDTH_SLICES), ("neighbors", 0.0)],
)
def test_smoothing_takes_what_the_neighbors_know(weak: str, expected: float, stage: Stage) -> None:
    """Neighbors that are right help a held-out slice that is unsure and wrong; wrong ones spoil it."""
    annotated = [1, 4, 7]
    logits = (RIGHT if weak == "annotated slices" else WRONG).clone()
    logits[annotated] = WRONG[annotated] * 0.1 if weak == "annotated slices" else RIGHT[annotated] * 0.1
    choice = stage.choose(ALIKE, {2: logits}, decoding({}, logits))[2]
    assert choice.smoothing_mm == expected * 2.0
    assert choice.expected_dice == 1.0


def test_each_rule_decodes_the_held_out_slices_once_and_the_best_one_their_windows(stage: Stage) -> None:
    stage.choose(ALIKE, {2: SILENT}, decoding({"points": RIGHT}, WRONG))
    *of_slices, of_windows = stage.decoded
    assert sorted(of_slices) == sorted((name, 3) for name in RULES)
    assert of_windows == ("points", 3 * (2 * RADIUS + 1))


def test_a_fold_takes_the_steps_of_the_cross_validation(stage: Stage) -> None:
    stage.choose(ALIKE, {2: RIGHT}, decoding({}, RIGHT), config=replace(CONFIG, steps=7))
    assert stage.trained == [replace(SMALL, steps=7)]


@pytest.mark.parametrize(("positions", "expected"), [(True, 1), (False, 2)])
def test_components_are_counted_in_3d_only_where_slices_are_of_one_case(
    positions: bool, expected: int, stage: Stage
) -> None:
    """Two pieces in one slice that lie within one piece of the next."""
    truth = ALIKE.copy()
    truth[1, :, 26:30] = 0
    training = replace(SMALL, network=replace(SMALL.network, positions=positions))
    choice = stage.choose(truth, {2: RIGHT}, decoding({}, RIGHT), training=training)[2]
    assert choice.components == expected


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
    assert best_rule(choices, CrossValidationConfig()).rule_name == wanted


# Real


def test_a_decoder_that_is_right_has_a_say(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    brightness_backbone: Backbone,
    discs: Discs,
) -> None:
    stack, truth = discs
    config = replace(CONFIG, least_departure=0.003)
    choice = chosen(encode(stack, brightness_backbone), annotate(truth, (2, 3, 5)), config)[2]
    assert choice.mask_from in ("decoder", "mean")
    assert choice.expected_dice is not None
    assert choice.expected_dice > 0.97


def test_a_decoder_that_knows_nothing_does_not_decide(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    """Random weights decode noise; the coarse mask, learned on the same embeddings, is mostly right."""
    stack, truth = discs
    config = replace(CONFIG, least_departure=0.003)
    choice = chosen(encode(stack, tiny_backbone), annotate(truth, (2, 3, 5)), config)[2]
    assert choice.mask_from in (
        "coarse",
        "mean",
    )  # its logits are near 0: the mean's sign is the coarse mask's
    assert choice.expected_dice is not None
    assert choice.expected_dice > 0.4


def test_the_usual_way_stays_unless_another_gains_enough(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    scan = encode(stack, tiny_backbone)
    config = CrossValidationConfig(steps=5, least_gain=1.0, least_gain_of_others=1.0, least_departure=1.0)
    choice = chosen(scan, annotate(truth, (2, 3, 5)), config)[2]
    usual_mm = USUAL_WIDTH_SLICES * scan.slicing.slice_spacing_mm
    assert (choice.rule_name, choice.mask_from, choice.smoothing_mm) == (USUAL_RULE, "mean", usual_mm)


def test_of_two_slices_the_mask_is_the_usual_one_whatever_holding_out_shows(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    eager = replace(CONFIG, least_departure=0.0)
    choice = chosen(encode(stack, tiny_backbone), annotate(truth, (2, 5)), eager)[2]
    assert choice.mask_from == "mean"
    assert choice.expected_dice is not None


def test_one_slice_alone_gets_the_papers_way_and_no_expectation(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    truth[3, 50:55, 50:55] = 2
    scan = encode(stack, tiny_backbone)
    assert chosen(scan, annotate(truth, (0, 3)))[2] == LabelChoice(components=2)
    # so does a label that only one of several slices shows
    truth[4, :5, :5] = 6
    assert chosen(scan, annotate(truth, (2, 4)))[6] == LabelChoice()


def test_thick_slices_are_not_smoothed(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    annotations = annotate(truth, (2, 3, 5))
    thick = encode(stack, tiny_backbone, spacing_mm=(10.0, 2.0, 2.0))
    assert chosen(thick, annotations)[2].smoothing_mm == 0
    assert chosen(encode(stack, tiny_backbone), annotations)[2].smoothing_mm > 0


@pytest.mark.parametrize(("spacing_mm", "expected"), [(4.9, RADIUS), (5.0, RADIUS), (5.1, 0)])
def test_the_radius_depends_on_the_distance_of_slices(spacing_mm: float, expected: int) -> None:
    assert CrossValidationConfig().radius(spacing_mm) == expected


def test_the_seed_decides(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    scan, annotations = encode(stack, tiny_backbone), annotate(truth, (2, 5))
    first, again, other = (chosen(scan, annotations, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first[2].expected_dice != other[2].expected_dice


def test_each_label_gets_a_choice_and_is_reported_as_progress(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone, discs: Discs
) -> None:
    stack, truth = discs
    truth[2:6, 40:50, 40:50] = 6
    steps: list[int] = []
    annotations = annotate(truth, (2, 5))
    encoders = dict.fromkeys((2, 6), tiny_backbone.prompt_encoder)
    choices = cross_validate(
        encode(stack, tiny_backbone), annotations, encoders, SMALL, CONFIG, torch.Generator(), steps.append
    )
    assert steps == [1, 1]
    assert choices.keys() == {2, 6}
    for choice in choices.values():
        assert choice.rule_name in RULES
        assert choice.mask_from in MASKS_FROM
        assert choice.expected_dice is not None
        assert 0 <= choice.expected_dice <= 1


@pytest.mark.parametrize(
    "settings",
    [
        {"folds": 1},
        {"steps": 0},
        {"least_gain": -0.1},
        {"least_gain_of_others": -0.1},
        {"least_departure": -0.1},
        {"fewest_shown": 1},
        {"thickest_smoothed_mm": -1.0},
    ],
)
def test_rejects_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CrossValidationConfig(**settings)
