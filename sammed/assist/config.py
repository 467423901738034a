"""How a prompt encoder is trained: every number, and where it comes from."""

from dataclasses import dataclass
from typing import Literal, get_args

from sammed.errors import ConfigError
from sammed.prompts.points import SCHEMES, Scheme
from sammed.ranges import check_least, check_positive

PromptSet = Literal["points", "boxes", "composite"]
ADAM = (0.9, 0.999)
"""Adam's betas, for gradients and their squares, as its authors chose them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How one encoder is trained: kinds of prompt (`Prompt.kind`) in equal shares, and steps of Adam."""

    kinds: tuple[str, ...]
    steps: int
    batch_size: int
    learning_rate: float
    momentum: tuple[float, float]


@dataclass(frozen=True, slots=True)
class AssistConfig:
    """Settings of `train_prompt_encoder`. Raises ConfigError for a value out of range.

    `prompts` is what the encoder is trained for: points, boxes, or both alone and together. `coarse` adds
    SAM_auto's coarse masks, alone and with a box; None adds them to composite prompts only. Distances of
    boxes are shares of the box's own sides.
    """

    prompts: PromptSet = "composite"
    coarse: bool | None = None
    scheme: Scheme = "uniform"  # paper, figure 9: the steadiest of the three
    # N_pt; n is sampled from [1, N_pt), so up to the 10 that the paper tests
    most_points: int = 11
    near_share: float = 0.15  # of the background points that lie near the instance; not in the paper
    box_inner: float = 0.05  # d_in; the paper gives no number
    box_outer: float = 0.1  # d_out; likewise
    learning_rate: float = 1e-2  # Adam, falling to 0 along a cosine
    # Of the encoder for points. The default backbone was trained on boxes alone, so points have far to go.
    point_learning_rate: float = 3e-2
    # Adam's betas for points, below the usual ones: steps are few, with one instance each, and with more
    # momentum some seeds ended with points that meant nothing.
    point_momentum: tuple[float, float] = (0.8, 0.95)
    steps: int = 40
    batch_size: int = 4  # instances per step; fewer make boxes worse with some seeds
    point_steps: int = 240
    point_batch_size: int = 1  # for points more steps help more than larger batches
    least_pixels: int = 8  # a smaller component of a label is a slip, not an instance
    patience: int = 80  # steps over which the mean loss must fall, otherwise training stops
    least_fall: float = 0.01  # of the mean loss

    def __post_init__(self) -> None:
        if self.prompts not in get_args(PromptSet):
            raise ConfigError(f"prompts is {self.prompts!r}; it is one of {', '.join(get_args(PromptSet))}.")
        if self.scheme not in SCHEMES:
            raise ConfigError(f"scheme is {self.scheme!r}; it is one of {', '.join(SCHEMES)}.")
        check_least(self, 2, "most_points")
        check_least(self, 1, "steps", "batch_size", "point_steps", "point_batch_size")
        check_least(self, 1, "least_pixels", "patience")
        if not 0 <= self.near_share <= 1:
            raise ConfigError(f"near_share is {self.near_share}; a share lies between 0 and 1.")
        if not (0 <= self.box_inner < 0.5 and self.box_outer >= 0):
            raise ConfigError(
                f"box_inner is {self.box_inner} and box_outer {self.box_outer}; "
                "the first lies from 0 to below 0.5, the second is 0 or more."
            )
        check_positive(self, "learning_rate", "point_learning_rate")
        if not all(0 <= beta < 1 for beta in self.point_momentum):
            raise ConfigError(f"point_momentum is {self.point_momentum}; both lie from 0 to below 1.")
        if not 0 <= self.least_fall < 1:
            raise ConfigError(f"least_fall is {self.least_fall}; a share lies from 0 to below 1.")

    @property
    def point_schedule(self) -> Schedule:
        """The schedule of the encoder for points; no kinds where only boxes are wanted."""
        kinds = () if self.prompts == "boxes" else ("points",)
        return Schedule(
            kinds, self.point_steps, self.point_batch_size, self.point_learning_rate, self.point_momentum
        )

    @property
    def box_schedule(self) -> Schedule:
        """The schedule of the encoder for boxes and coarse masks; no kinds where only points are wanted."""
        by_set = {"points": (), "boxes": ("box",), "composite": ("box", "points+box")}
        coarse = self.prompts == "composite" if self.coarse is None else self.coarse
        kinds = by_set[self.prompts] + (("coarse", "box+coarse") if coarse else ())
        return Schedule(kinds, self.steps, self.batch_size, self.learning_rate, ADAM)

    @property
    def most_steps(self) -> int:
        """Steps of both schedules, if neither stops early."""
        return sum(each.steps for each in (self.point_schedule, self.box_schedule) if each.kinds)
