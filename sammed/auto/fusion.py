"""Fusion: from a coarse mask and the decoder's mask to one, smoothed along the slices.

The paper takes the decoder's mask as it is. On thin and ragged structures the coarse mask, or the mean of
the two, is better, and on thin slices so is a mask that its neighbors have a say in.
`sammed.auto.cross_validation` finds out which, label by label.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from sammed.auto.prompting import PAPER_RULE, RULES, PromptRule
from sammed.errors import ConfigError

Source = Literal["decoder", "coarse", "mean"]
SOURCES: tuple[Source, ...] = ("decoder", "mean", "coarse")

LARGEST_LOGIT = 6.0
"""Logits are clamped to this before they are mixed: beyond, one sure voice would silence all others."""

USUAL_DOUBT = 1.0
"""Of the shapes between annotated slices, in mm a mm from the nearest, where it can't be fitted; found on
hearts in slices of 10 mm."""

RADIUS = 3
"""Slices on either side that smoothing looks at."""


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """How one label's masks are made; the default is the paper's plain way with one component.

    `doubt` is how far a shape between annotated slices may be off, in mm a mm from the nearest of them
    (`sammed.auto.shapes`). `expected_dice` is what leaving annotated slices out in turn gave, None where that
    wasn't possible.
    """

    components: int = 1
    rule_name: str = PAPER_RULE.name
    source: Source = "decoder"
    smoothing_mm: float = 0.0
    doubt: float = USUAL_DOUBT
    expected_dice: float | None = None

    def __post_init__(self) -> None:
        if self.rule_name not in RULES or self.source not in SOURCES:
            raise ConfigError(f"There is no rule {self.rule_name!r} with the source {self.source!r}.")
        if self.components < 1 or self.smoothing_mm < 0:
            raise ConfigError("A label has at least one component, and a smoothing of 0 mm or more.")
        if not self.doubt > 0:
            raise ConfigError(f"The doubt of a label's shapes is {self.doubt}; it must be above 0.")

    @property
    def rule(self) -> PromptRule:
        """The rule by which prompts are written."""
        return RULES[self.rule_name]


def mix(
    coarse: Float[Tensor, "S g g"], decoded: Float[Tensor, "S g g"] | None, source: Source
) -> Float[Tensor, "S g g"]:
    """Logits of one label from both masks, clamped to +-6; `decoded` may be None for the coarse alone."""
    coarse = coarse.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    if source == "coarse" or decoded is None:
        return coarse
    decoded = decoded.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return decoded if source == "decoder" else (coarse + decoded) / 2


def smooth(
    logits: Float[Tensor, "S r g"], width_slices: float, radius: int = RADIUS
) -> Float[Tensor, "S r g"]:
    """Logits averaged along the slices by a Gaussian; the first and the last slice continue outward."""
    if width_slices == 0:
        return logits
    offsets = torch.arange(-radius, radius + 1, device=logits.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / width_slices) ** 2)
    padded = F.pad(logits.float().permute(1, 2, 0), (radius, radius), mode="replicate")  # g g S+2r
    smoothed = F.conv1d(padded.flatten(0, 1)[:, None], (weights / weights.sum())[None, None])
    return smoothed.reshape(*logits.shape[1:], -1).permute(2, 0, 1).to(logits.dtype)
