"""How the pseudo-labeler `assist` is prompted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sammed.errors import ConfigError

PromptStyle = Literal["box", "point", "points", "signed-points", "box+points"]
PROMPT_STYLES: tuple[PromptStyle, ...] = get_args(PromptStyle)
Encoder = Literal["plain", "learned"]


@dataclass(frozen=True, slots=True)
class AssistLabelConfig:
    """Settings of `AssistLabeler`.

    Prompts come either from `prompts`, a folder with a file CASE.json each (`sammed.prompts.file`), or are
    simulated from `truth`, a labeled set that knows the labels of the cases; the origin says which. `style`,
    `points` (of each sign), the jitter of boxes (shares of their sides) and `least_pixels` are of simulated
    ones: a box round each instance; one point in its middle; several points in it; as many more round it that
    say "not this"; a box with points in it. `encoder` is the backbone's own prompt encoder, or one that is
    learned from about `slices` gold slices.
    """

    prompts: Path | None = None
    truth: Path | None = None
    style: PromptStyle = "box"
    points: int = 3
    box_inner: float = 0.05
    box_outer: float = 0.1
    least_pixels: int = 8
    encoder: Encoder = "plain"
    slices: int = 25

    def __post_init__(self) -> None:
        if (self.prompts is None) == (self.truth is None):
            raise ConfigError(
                "assist needs either prompts=FOLDER with a person's prompts or truth=SET to simulate "
                "them from."
            )
        if self.style not in PROMPT_STYLES:
            raise ConfigError(f"style is {self.style!r}; it is one of {', '.join(PROMPT_STYLES)}.")
        if self.encoder not in get_args(Encoder):
            raise ConfigError(f"encoder is {self.encoder!r}; it is one of {', '.join(get_args(Encoder))}.")
        if self.points < 1 or self.least_pixels < 1 or self.slices < 1:
            raise ConfigError("points, least_pixels and slices are 1 or more.")
        if not (0 <= self.box_inner < 0.5 and self.box_outer >= 0):
            raise ConfigError("box_inner lies from 0 to below 0.5, box_outer is 0 or more.")
