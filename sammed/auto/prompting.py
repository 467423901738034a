"""Prompting: from a generator's coarse mask to the prompts that a user would give (SAM^Med 3.2.2).

A rule defines which prompts are written for each component of the coarse mask in a slice: a box with a
margin, points with negatives where the object is least likely, the coarse mask itself, or several of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from sammed.backbones.frame import Frame
from sammed.errors import ConfigError
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances
from sammed.prompts.prompt import PointSign, Prompt

POINTS = 3  # of each sign; the paper finds about five points in all to be enough (4.2)


@dataclass(frozen=True, slots=True)
class PromptRule:
    """Which prompts are written for a component of a coarse mask."""

    name: str
    box: bool = False
    points: bool = False
    coarse: bool = False
    margin: float = 0.0  # of the box, a share of its sides

    def __post_init__(self) -> None:
        if not (self.box or self.points or self.coarse):
            raise ConfigError(f"The rule {self.name!r} writes no prompt.")

    @property
    def is_box(self) -> bool:
        """Whether the rule writes boxes and nothing else."""
        return self.box and not (self.points or self.coarse)


PAPER_RULE = PromptRule("box", box=True)
RULES = {
    rule.name: rule
    for rule in (
        PAPER_RULE,
        PromptRule("box-margin", box=True, margin=0.1),
        PromptRule("points", points=True),
        PromptRule("box-points", box=True, points=True),
        PromptRule("coarse", coarse=True),
        PromptRule("box-coarse", box=True, coarse=True),
    )
}


def write_prompts(coarse: Float[Tensor, "M M"], frame: Frame, rule: PromptRule) -> Iterator[Prompt]:
    """Yield prompts for one slice from coarse logits on the mask grid; none where no logit is above 0."""
    logits = frame.logits_to_slice(coarse[None])[0].cpu().numpy()  # H W
    mask = logits > 0
    if not mask.any():
        return
    if not (rule.box or rule.points):
        yield Prompt(coarse_logits=coarse)
        return
    for instance in instances(mask):
        box = box_around(instance, rule.margin) if rule.box else None
        points, signs = _points(instance, mask, logits, POINTS if rule.points else 0)
        yield Prompt(points, signs, box, coarse if rule.coarse else None)


def _points(
    instance: Bool[np.ndarray, "H W"],
    mask: Bool[np.ndarray, "H W"],
    logits: Float[np.ndarray, "H W"],
    count: int,
) -> tuple[Float[np.ndarray, "P 2"], np.ndarray]:
    """Choose up to `count` points deep in the instance, and as many around it where it is least likely."""
    inside = spread(ndimage.distance_transform_edt(np.pad(instance, 1))[1:-1, 1:-1], count)
    around = _surroundings(instance) & ~mask
    outside = spread(np.where(around, logits[around].max(initial=0) + 1 - logits, 0), count)
    signs = [PointSign.FOREGROUND] * len(inside) + [PointSign.BACKGROUND] * len(outside)
    return np.concatenate([inside, outside]), np.array(signs, dtype=np.int64)


def _surroundings(instance: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Return the instance's bounding box, half as large again."""
    rows, columns = ndimage.find_objects(instance.astype(np.uint8))[0]
    around = np.zeros_like(instance)
    tall, wide = (rows.stop - rows.start + 3) // 4, (columns.stop - columns.start + 3) // 4
    around[
        max(0, rows.start - tall) : rows.stop + tall, max(0, columns.start - wide) : columns.stop + wide
    ] = True
    return around


def spread(weight: Float[np.ndarray, "H W"], count: int) -> Float[np.ndarray, "P 2"]:
    """Choose up to `count` pixels (x, y) of high weight that lie apart.

    Each maximizes its weight times its distance to those before. A weight of 0 is never chosen.
    """
    y, x = np.nonzero(weight > 0)
    if x.size == 0 or count == 0:
        return np.zeros((0, 2))
    candidates, weights = np.stack([x, y], axis=1).astype(np.float64), weight[y, x]
    taken = [int(weights.argmax())]
    while len(taken) < min(count, len(candidates)):
        apart = np.min([np.hypot(*(candidates - candidates[index]).T) for index in taken], axis=0)
        taken.append(int((weights * apart).argmax()))
    return candidates[taken]


def coarse_on_mask_grid(coarse: Float[Tensor, "S h w"], frame: Frame) -> Float[Tensor, "S M M"]:
    """Resize coarse logits from the embedding grid to the mask grid, bilinear."""
    resized = torch.nn.functional.interpolate(
        coarse[:, None], size=(frame.mask_size, frame.mask_size), mode="bilinear", align_corners=False
    )
    return resized[:, 0]
