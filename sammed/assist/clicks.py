"""Clicks of a simulated user who sees the truth, for evaluation only (SAM^Med 3.3).

Each Dice is that of one slice: the united masks of all instances against the whole label, on the slice's own
pixels. Slices without the label get no clicks and don't count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sammed.assist.masks import decode_prompts
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError
from sammed.metrics.evaluation import dice
from sammed.prompts.boxes import box_around, jitter_box
from sammed.prompts.instances import instances
from sammed.prompts.points import deepest, sample_points
from sammed.prompts.prompt import PointSign, Prompt, prompt_of_points
from sammed.ranges import check_least


@dataclass(frozen=True, slots=True)
class ClickPlan:
    """What the simulated user tries. Distances of boxes are shares of the box's sides, as in `jitter_box`."""

    point_counts: tuple[int, ...] = (1, 3, 5, 10)  # of each sign and for each instance; figure 7, table 2
    boxes: bool = True
    composite: bool = True
    refinements: int = 5  # points after the box in the active scheme; paper 3.3
    box_inner: float = 0.05  # d_in and d_out as in AssistConfig: the paper jitters boxes in testing too
    box_outer: float = 0.1
    least_pixels: int = 8  # as AssistConfig

    def __post_init__(self) -> None:
        if any(count < 1 for count in self.point_counts):
            raise ConfigError(f"The simulated user clicks at least one point, not {min(self.point_counts)}.")
        if not (self.point_counts or self.boxes or self.composite):
            raise ConfigError("There is nothing to simulate: no points, no boxes, no composite prompts.")
        check_least(self, 0, "refinements")


@dataclass(frozen=True, slots=True)
class ClickScore:
    """Dice of one way of clicking: mean and deviation over slices, and all slices together as one volume.

    `count` is the number of points of each sign that an instance gets. In the active scheme ("composite") it
    is the most points that an instance gets after the box.
    """

    prompt: Literal["points", "box", "composite"]
    count: int
    dice_mean: float
    dice_std: float
    dice_together: float
    slices: int


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The instance of a label that one run of clicks aims at; `row` is its slice among those given."""

    row: int
    instance: Bool[np.ndarray, "H W"]
    label: Bool[np.ndarray, "H W"]


def simulate_clicks(
    backbone: Backbone,
    encoder: nn.Module,
    embeddings: Float[Tensor, "S 256 h w"],
    masks: Bool[np.ndarray, "S H W"],
    frame: Frame,
    plan: ClickPlan,
    seed: int,
) -> tuple[ClickScore, ...]:
    """Score a prompt encoder (the backbone's own, or a trained one) on slices with a known label.

    Random points and boxes depend only on the masks and the seed, so two encoders get the same ones. Leave
    out the slices that an encoder was trained on. Raises AnnotationError where no slice shows the label.
    """
    targets = find_targets(masks, plan.least_pixels)
    if not targets:
        raise AnnotationError(
            f"None of the {len(masks)} slices shows the label, so there is nothing to click on."
        )
    user = SimulatedUser(backbone, encoder, embeddings, frame, targets, plan)
    scores = [user.with_points(count, np.random.default_rng((seed, count))) for count in plan.point_counts]
    if plan.boxes:
        scores.append(user.with_boxes(np.random.default_rng((seed, 0))))
    if plan.composite:
        scores.append(user.actively(np.random.default_rng((seed, 0))))
    return tuple(scores)


def find_targets(masks: Bool[np.ndarray, "S H W"], least_pixels: int) -> list[Target]:
    """Return the instances of a label on all slices; see `instances` for `least_pixels`."""
    return [
        Target(row, instance, mask)
        for row, mask in enumerate(masks)
        for instance in instances(mask, least_pixels)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedUser:
    """Prompts every target in a given way and looks at the masks."""

    backbone: Backbone
    encoder: nn.Module
    embeddings: Float[Tensor, "S 256 h w"]
    frame: Frame
    targets: Sequence[Target]
    plan: ClickPlan

    def with_points(self, count: int, rng: np.random.Generator) -> ClickScore:
        """Click `count` random points in each instance and as many outside the label."""
        masks = self._masks([_random_points(target, count, rng) for target in self.targets])
        return self._score("points", count, masks)

    def with_boxes(self, rng: np.random.Generator) -> ClickScore:
        """Give a jittered box around each instance."""
        return self._score("box", 0, self._masks(self._boxes(rng)))

    def actively(self, rng: np.random.Generator) -> ClickScore:
        """Give a jittered box, then single points in the largest error; keep each instance's best mask."""
        prompts = self._boxes(rng)
        best = self._masks(prompts)
        latest = best.copy()
        for _ in range(self.plan.refinements):
            prompts = [_refined(*each) for each in zip(prompts, self.targets, latest, strict=True)]
            latest = self._masks(prompts)
            for index, target in enumerate(self.targets):
                if _instance_dice(latest[index], target) > _instance_dice(best[index], target):
                    best[index] = latest[index]
        return self._score("composite", self.plan.refinements, best)

    def _boxes(self, rng: np.random.Generator) -> list[Prompt]:
        inner, outer = self.plan.box_inner, self.plan.box_outer
        return [
            Prompt(
                box_xyxy_slice=jitter_box(
                    box_around(target.instance), inner, outer, target.instance.shape, rng
                )
            )
            for target in self.targets
        ]

    def _masks(self, prompts: Sequence[Prompt]) -> Bool[np.ndarray, "N H W"]:
        rows = [target.row for target in self.targets]
        logits = decode_prompts(self.backbone, self.encoder, self.embeddings, prompts, rows, self.frame)
        # One at a time: a slice's pixels may be many more than the mask grid's cells.
        return np.stack([self.frame.logits_to_slice(each[None])[0].cpu().numpy() > 0 for each in logits])

    def _score(
        self, prompt: Literal["points", "box", "composite"], count: int, masks: Bool[np.ndarray, "N H W"]
    ) -> ClickScore:
        united: dict[int, np.ndarray] = {}
        for target, mask in zip(self.targets, masks, strict=True):
            united[target.row] = united.get(target.row, np.zeros_like(mask)) | mask
        labels = {target.row: target.label for target in self.targets}
        values = [dice(mask, labels[row]) for row, mask in united.items()]
        together = dice(np.stack(list(united.values())), np.stack([labels[row] for row in united]))
        return ClickScore(prompt, count, float(np.mean(values)), float(np.std(values)), together, len(values))


def _random_points(target: Target, count: int, rng: np.random.Generator) -> Prompt:
    inside = sample_points(target.instance, count, "uniform", rng)
    others = 0 if target.label.all() else count
    return prompt_of_points(inside, sample_points(~target.label, others, "uniform", rng))


def _refined(prompt: Prompt, target: Target, mask: Bool[np.ndarray, "H W"]) -> Prompt:
    """Add one point to a prompt: deepest in the largest region that is missing or too much."""
    missing = instances(target.instance & ~mask)[:1]
    extra = instances(mask & ~target.label)[:1]  # another instance of the label is no error
    if not (missing or extra):
        return prompt
    is_missing = bool(missing) and (not extra or missing[0].sum() >= extra[0].sum())
    point = deepest(missing[0] if is_missing else extra[0])
    return Prompt(
        np.concatenate([prompt.points_xy_slice, point[None]]),
        np.append(prompt.signs, PointSign.FOREGROUND if is_missing else PointSign.BACKGROUND),
        prompt.box_xyxy_slice,
    )


def _instance_dice(mask: Bool[np.ndarray, "H W"], target: Target) -> float:
    """Return the Dice of one instance; pixels of the label's other instances don't count against the mask."""
    return dice(mask & (target.instance | ~target.label), target.instance)
