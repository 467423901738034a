"""Settings of the pseudo-labeler `assist`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sammed.errors import ConfigError
from sammed.ranges import check_words

PromptStyle = Literal["box", "point", "points", "signed-points", "box+points"]
PROMPT_STYLES: tuple[PromptStyle, ...] = get_args(PromptStyle)
Encoder = Literal["plain", "learned"]


@dataclass(frozen=True, slots=True)
class AssistLabelConfig:
    """Settings of `AssistLabeler`.

    Prompts either come from `prompts`, a folder with a file CASE.json for each case (`sammed.prompts.file`),
    or are simulated from `truth`, a labeled set with the labels of the cases; the origin shows which.
    `style`, `points` (of each sign), the jitter of boxes (shares of their sides) and `least_pixels` apply to
    simulated ones. The styles are a box around each instance; one point in its middle; several points in it;
    as many background points around it; a box with points in it. `encoder` is the backbone's own prompt
    encoder, or one learned from about `slices` gold slices.
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
                "assist needs either prompts=FOLDER with prompts or truth=SET to simulate them from."
            )
        check_words(self, "style", "encoder")
        if self.points < 1 or self.least_pixels < 1 or self.slices < 1:
            raise ConfigError("points, least_pixels and slices must be 1 or more.")
        if not (0 <= self.box_inner < 0.5 and self.box_outer >= 0):
            raise ConfigError("box_inner must be from 0 to below 0.5, and box_outer 0 or more.")
