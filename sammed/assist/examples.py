"""Examples: the instances on annotated slices, and the prompts sampled for them in training (paper 3.3)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, from_numpy

from sammed.assist.config import AssistConfig
from sammed.backbones.frame import Frame
from sammed.prompts.boxes import box_around, jitter_box
from sammed.prompts.coarse import degrade
from sammed.prompts.instances import instances
from sammed.prompts.points import Scheme, candidates, sample_candidates
from sammed.prompts.prompt import PointSign, Prompt

# Half the instance's box on each side: where an annotator would put a background point.
NEAR_MARGIN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One instance on one annotated slice, with everything that its prompts and targets need.

    `row` is the slice's row among the embeddings. `inside`, `outside` and `nearby` are the pixels (x, y) that
    points are sampled from: those of the instance, those outside the whole label, and those of the latter
    that lie near the instance. Targets are shares 0..1 of each cell's area: `target` and `label_target` of
    the instance and of the whole label on the mask grid, `label_shares` of the label on the embedding grid.
    """

    row: int
    shape: tuple[int, int]
    inside: Float[np.ndarray, "I 2"]
    outside: Float[np.ndarray, "O 2"]
    nearby: Float[np.ndarray, "N 2"]
    box_xyxy_slice: Float[np.ndarray, " 4"]
    target: Float[Tensor, "M M"]
    label_target: Float[Tensor, "M M"]
    label_shares: Float[Tensor, "h w"]

    def target_of(self, kind: str) -> Float[Tensor, "M M"]:
        """Return the target of a kind of prompt: the label for a coarse mask alone, else the instance."""
        return self.label_target if kind == "coarse" else self.target


def gather_examples(
    masks: Bool[np.ndarray, "A H W"], frame: Frame, scheme: Scheme, least_pixels: int
) -> Iterator[Example]:
    """Yield an example for each instance of a label; slices without the label have none."""
    for row, mask in enumerate(masks):
        parts = np.stack([mask, *instances(mask, least_pixels)])  # whole label first
        targets = frame.masks_to_mask_grid(from_numpy(parts))
        shares = frame.masks_to_embedding(from_numpy(parts[:1]))[0]
        outside = candidates(~mask, scheme)
        for instance, target in zip(parts[1:], targets[1:], strict=True):
            box = box_around(instance)
            yield Example(
                row=row,
                shape=(frame.height, frame.width),
                inside=candidates(instance, scheme),
                outside=outside,
                nearby=outside[_within(outside, box_around(instance, NEAR_MARGIN))],
                box_xyxy_slice=box,
                target=target,
                label_target=targets[0],
                label_shares=shares,
            )


def sample_prompt(
    example: Example, kind: str, points: int, config: AssistConfig, rng: np.random.Generator
) -> Prompt:
    """Sample a prompt of that kind (`Prompt.kind`): `points` in the foreground, as many in the background."""
    parts = kind.split("+")
    xy, signs = _sample_signed(example, points if "points" in parts else 0, config.near_share, rng)
    box = coarse = None
    if "box" in parts:
        box = jitter_box(example.box_xyxy_slice, config.box_inner, config.box_outer, example.shape, rng)
    if "coarse" in parts:
        coarse = degrade(example.label_shares, rng)
    return Prompt(xy, signs, box, coarse)


def _sample_signed(
    example: Example, count: int, near_share: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "P 2"], np.ndarray]:
    """Sample 2 x `count` points. Where the label fills the whole slice, all of them lie inside."""
    negatives = count if len(example.outside) else 0
    near = int(rng.binomial(negatives, near_share)) if len(example.nearby) else 0
    points_xy = (
        sample_candidates(example.inside, 2 * count - negatives, rng),
        sample_candidates(example.nearby, near, rng),
        sample_candidates(example.outside, negatives - near, rng),
    )
    signs = np.full(2 * count, PointSign.FOREGROUND, dtype=np.int64)
    signs[2 * count - negatives :] = PointSign.BACKGROUND
    return np.concatenate(points_xy), signs


def _within(points_xy: Float[np.ndarray, "M 2"], box_xyxy: Float[np.ndarray, " 4"]) -> Bool[np.ndarray, " M"]:
    apart = np.maximum(box_xyxy[:2] - points_xy, points_xy - box_xyxy[2:])  # M 2; above 0 outside
    inside: np.ndarray = apart.max(axis=1, initial=-np.inf) <= 0
    return inside
