"""Prompts as an annotator would set them, simulated from the truth, for experiments only."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, UInt

from sammed.datasets.pseudo.assist_config import AssistLabelConfig
from sammed.prompts.boxes import box_around, jitter_box
from sammed.prompts.instances import instances
from sammed.prompts.placing import PlacedPrompt
from sammed.prompts.points import sample_points
from sammed.prompts.prompt import Prompt, prompt_of_points
from sammed_volumes.labels import Label

_NEAR = 0.5  # share of the instance's box on each side: where background points are placed


def simulate_prompts(
    truth: UInt[np.ndarray, "S H W"],
    labels: tuple[Label, ...],
    config: AssistLabelConfig,
    rng: np.random.Generator,
) -> Iterator[PlacedPrompt]:
    """Yield a prompt for each instance of each label on each slice, in the config's style."""
    for label in labels:
        for index in np.flatnonzero((truth == label.value).any(axis=(1, 2))).tolist():
            mask = truth[index] == label.value
            for instance in instances(mask, config.least_pixels):
                yield PlacedPrompt(label, index, _prompt(instance, mask, config, rng))


def _prompt(
    instance: Bool[np.ndarray, "H W"],
    label: Bool[np.ndarray, "H W"],
    config: AssistLabelConfig,
    rng: np.random.Generator,
) -> Prompt:
    box = None
    if config.style in ("box", "box+points"):
        box = jitter_box(box_around(instance), config.box_inner, config.box_outer, instance.shape, rng)
    if config.style == "box":
        return Prompt(box_xyxy_slice=box)
    if config.style == "point":
        inside = sample_points(instance, 1, "center", rng)
    else:
        inside = sample_points(instance, config.points, "uniform", rng)
    outside = _outside(instance, label, config.points, rng) if config.style == "signed-points" else inside[:0]
    return prompt_of_points(inside, outside, box)


def _outside(
    instance: Bool[np.ndarray, "H W"], label: Bool[np.ndarray, "H W"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "P 2"]:
    """Return points near the instance and outside its label; none where the label fills the slice."""
    near = np.zeros_like(label)
    x0, y0, x1, y1 = box_around(instance, _NEAR).round().astype(int).tolist()
    near[y0 : y1 + 1, x0 : x1 + 1] = True
    region = near & ~label if (near & ~label).any() else ~label
    return sample_points(region, count, "uniform", rng) if region.any() else np.zeros((0, 2))
