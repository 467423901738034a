"""The simulated user, in front of a decoder that follows every prompt."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sammed.assist import clicks
from sammed.assist.clicks import ClickPlan, ClickScore, SimulatedUser, Target, find_targets, simulate_clicks
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError
from sammed.prompts.prompt import Prompt

if TYPE_CHECKING:
    from tests.sammed.assist.conftest import Slices

Obedient = Callable[[Target, int], tuple[SimulatedUser, list[Sequence[Prompt]]]]

NOBODY = cast(Any, None)  # what the staged decoder does not look at
PLAN = ClickPlan(point_counts=(1, 3), least_pixels=4)


def simulate(
    backbone: Backbone, slices: "Slices", plan: ClickPlan = PLAN, seed: int = 0
) -> tuple[ClickScore, ...]:
    return simulate_clicks(
        backbone, backbone.prompt_encoder, slices.embeddings, slices.masks, slices.frame, plan, seed
    )


def test_there_is_a_row_for_each_way_of_clicking(tiny_backbone: Backbone, slices: "Slices") -> None:
    scores = simulate(tiny_backbone, slices)
    assert [(row.prompt, row.count) for row in scores] == [
        ("points", 1),
        ("points", 3),
        ("box", 0),
        ("composite", 5),
    ]
    assert all(row.slices == 2 for row in scores)  # the third slice has no label
    assert all(0 <= row.dice_mean <= 1 for row in scores)


def test_the_seed_decides(tiny_backbone: Backbone, slices: "Slices") -> None:
    assert simulate(tiny_backbone, slices) == simulate(tiny_backbone, slices)
    assert simulate(tiny_backbone, slices) != simulate(tiny_backbone, slices, seed=1)


def test_a_way_of_clicking_does_not_depend_on_the_others(tiny_backbone: Backbone, slices: "Slices") -> None:
    few = simulate(tiny_backbone, slices, ClickPlan((3,), boxes=False, composite=False, least_pixels=4))
    assert few == simulate(tiny_backbone, slices)[1:2]


def test_refining_is_never_worse_than_the_box_alone(tiny_backbone: Backbone, slices: "Slices") -> None:
    by_prompt = {row.prompt: row for row in simulate(tiny_backbone, slices)}
    assert by_prompt["composite"].dice_mean >= by_prompt["box"].dice_mean


def test_targets_are_the_instances() -> None:
    masks = np.zeros((2, 12, 12), dtype=bool)
    masks[1, 1:4, 1:4] = masks[1, 7:11, 7:11] = True
    targets = find_targets(masks, least_pixels=4)
    assert [(target.row, target.instance.sum()) for target in targets] == [(1, 16), (1, 9)]


@pytest.fixture
def obedient(monkeypatch: pytest.MonkeyPatch, slices: "Slices") -> Obedient:
    """A user whose decoder paints the box, and 5 x 5 pixels at each point: inside at +, outside at -."""
    seen: list[Sequence[Prompt]] = []

    def paint(prompt: Prompt, shape: tuple[int, int]) -> np.ndarray:
        mask = np.zeros(shape, dtype=bool)
        assert prompt.box_xyxy_slice is not None
        x0, y0, x1, y1 = prompt.box_xyxy_slice.astype(int)
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
        for (x, y), sign in zip(prompt.points_xy_slice.astype(int), prompt.signs, strict=True):
            mask[y - 2 : y + 3, x - 2 : x + 3] = bool(sign)
        return mask

    def decode(
        _backbone: Backbone,
        _encoder: nn.Module,
        _embeddings: Tensor,
        prompts: Sequence[Prompt],
        _rows: Sequence[int],
        frame: Frame,
    ) -> Tensor:
        seen.append(prompts)
        return torch.from_numpy(
            np.stack([paint(each, (frame.height, frame.width)) for each in prompts]) * 2.0 - 1
        )

    def user(target: Target, refinements: int) -> tuple[SimulatedUser, list[Sequence[Prompt]]]:
        plan = ClickPlan(refinements=refinements, box_inner=0.0, box_outer=0.0)
        frame = SimpleNamespace(height=30, width=30, logits_to_slice=lambda logits: logits)
        return SimulatedUser(NOBODY, NOBODY, NOBODY, cast(Frame, frame), [target], plan), seen

    monkeypatch.setattr(clicks, "decode_prompts", decode)
    return user


def ring() -> np.ndarray:
    """An object 15 x 15 with two holes of 5 x 5: a box fills them, two background points empty them."""
    instance = np.zeros((30, 30), dtype=bool)
    instance[5:20, 5:20] = True
    instance[6:11, 6:11] = instance[13:18, 13:18] = False
    return instance


def test_active_points_go_into_the_largest_error_until_none_is_left(
    obedient: Obedient,
) -> None:
    user, seen = obedient(Target(0, ring(), ring()), 5)
    score = user.actively(np.random.default_rng(0))
    assert score.dice_mean == 1.0
    points = seen[-1][0].points_xy_slice
    assert sorted(points.tolist()) == [[8, 8], [15, 15]]  # the holes' middles; no further point was needed
    assert seen[-1][0].signs.tolist() == [0, 0]


def test_as_many_points_are_placed_as_allowed(
    obedient: Obedient,
) -> None:
    user, seen = obedient(Target(0, ring(), ring()), 1)
    assert user.actively(np.random.default_rng(0)).dice_mean == pytest.approx(2 * 175 / (2 * 175 + 25))
    assert seen[-1][0].count == 1


def test_another_instance_of_the_label_is_no_error(
    obedient: Obedient,
) -> None:
    label = np.zeros((30, 30), dtype=bool)
    label[5:20, 5:20] = True
    instance = label.copy()
    instance[6:11, 6:11] = False  # another instance inside the box of this one
    user, seen = obedient(Target(0, instance, label), 2)
    user.actively(np.random.default_rng(0))
    assert seen[-1][0].count == 0


def test_a_label_that_fills_the_slice_gets_no_background_points() -> None:
    full = np.ones((9, 9), dtype=bool)
    prompt = clicks._random_points(Target(0, full, full), 3, np.random.default_rng(0))
    assert prompt.signs.tolist() == [1, 1, 1]


def test_slices_without_the_label_are_an_error(tiny_backbone: Backbone, slices: "Slices") -> None:
    with pytest.raises(AnnotationError, match="nothing to click on"):
        simulate_clicks(
            tiny_backbone,
            tiny_backbone.prompt_encoder,
            slices.embeddings[2:],
            slices.masks[2:],
            slices.frame,
            PLAN,
            0,
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"point_counts": (0, 3)},
        {"point_counts": (), "boxes": False, "composite": False},
        {"refinements": -1},
    ],
)
def test_a_plan_that_makes_no_sense_is_rejected(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ClickPlan(**settings)
