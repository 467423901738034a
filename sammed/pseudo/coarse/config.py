"""How coarse masks become weak labels: every number, and where it comes from (Auto-Generate-WLs, 3)."""

from dataclasses import dataclass
from typing import Literal, get_args

from sammed.errors import ConfigError

CoarsePrompt = Literal["box", "points", "automatic"]
COARSE_PROMPTS: tuple[CoarsePrompt, ...] = get_args(CoarsePrompt)


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """Which regions of a probability map are the object, and how points are laid.

    Raises ConfigError for a value out of range.
    """

    threshold: float = 0.5  # of the probability, above which a pixel belongs to the coarse mask
    least_pixels: int = 20  # "filter out small blocks"; the paper names no number, ours
    least_share: float = 0.25  # of the largest region's pixels; a smaller block is noise; ours
    most_regions: int = 3  # "largest contiguous region(s)"; ours
    negatives: int = 3  # "low-probability points"; ours, as many as sammed.auto.prompting.POINTS
    low_probability: float = 0.1  # what "low" is; ours

    def __post_init__(self) -> None:
        for name in ("threshold", "least_share", "low_probability"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it lies from 0 to below 1.")
        for name, least in (("least_pixels", 1), ("most_regions", 1), ("negatives", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be {least} or more.")
        if self.low_probability >= self.threshold:
            raise ConfigError(
                f"low_probability is {self.low_probability}, the threshold {self.threshold}; "
                "a point outside must be less likely than the coarse mask."
            )


@dataclass(frozen=True, slots=True)
class CoarseConfig:
    """Settings of Auto-Generate-WLs. Raises ConfigError for a value out of range.

    `prompts` is what the backbone gets: a box or points for each region, or nothing ("automatic", the
    baseline of the paper's table 1).
    """

    prompts: CoarsePrompt = "box"
    regions: RegionConfig = RegionConfig()
    most_of_one_class: float = 0.97  # a label with a larger share of one class is dropped

    def __post_init__(self) -> None:
        if self.prompts not in COARSE_PROMPTS:
            raise ConfigError(f"prompts is {self.prompts!r}; it is one of {', '.join(COARSE_PROMPTS)}.")
        if not 0.5 <= self.most_of_one_class <= 1:
            raise ConfigError(
                f"most_of_one_class is {self.most_of_one_class}; a share of one of two classes lies from "
                "0.5 to 1."
            )
