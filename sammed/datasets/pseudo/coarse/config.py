"""How coarse labels become weak labels: every number, and its source (Auto-Generate-WLs, 3)."""

from dataclasses import dataclass
from typing import Literal, get_args

from sammed.datasets.students.config import NetworkName, OptimizerName, StudentConfig
from sammed.errors import ConfigError
from sammed.ranges import check_least, check_shares, check_words

CoarsePrompt = Literal["box", "points", "automatic", "none"]
COARSE_PROMPTS: tuple[CoarsePrompt, ...] = get_args(CoarsePrompt)


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """Which regions of a probability map are the object, and where points are placed.

    Raises ConfigError for a value out of range.
    """

    threshold: float = 0.5  # of the probability, above which a pixel belongs to the coarse label
    least_pixels: int = 20  # "filter out small blocks"; the paper names no number, ours
    least_share: float = 0.25  # of the largest region's pixels; a smaller block is noise; ours
    most_regions: int = 3  # "largest contiguous region(s)"; ours
    negatives: int = 3  # "low-probability points"; ours, as many as sammed.auto.prompting.POINTS
    low_probability: float = 0.1  # what "low" is; ours

    def __post_init__(self) -> None:
        check_shares(self, "threshold", "least_share", "low_probability")
        check_least(self, 1, "least_pixels", "most_regions")
        check_least(self, 0, "negatives")
        if self.low_probability >= self.threshold:
            raise ConfigError(
                f"low_probability is {self.low_probability}, the threshold {self.threshold}; "
                "the former must be lower, since background points are outside the coarse label."
            )


@dataclass(frozen=True, slots=True)
class CoarseConfig(RegionConfig):
    """Settings of Auto-Generate-WLs. Raises ConfigError for a value out of range.

    `prompts` states what prompts the backbone: a box or points for each region of the student's coarse label.
    The baselines of the paper's table 1 and appendix B need no student and support one label: "automatic"
    takes the best mask that the backbone proposes by itself, "none" its mask without any prompt. The other
    settings are those of the student that makes the coarse labels.
    """

    prompts: CoarsePrompt = "box"
    most_of_one_class: float = 0.97  # a label with a larger share of one class is dropped; paper, 3
    least_agreement: float = 0.0  # Dice of coarse and weak label, below which the slice is dropped; ours
    network: NetworkName = "unet++"  # paper, 4.2, like all that follow
    size_px: int = 256
    batch_size: int = 4
    epochs: int = 100
    steps: int | None = None
    optimizer: OptimizerName = "sgd"  # "adam" gets there in fewer steps, for few pictures or no GPU
    learning_rate: float = 1e-3
    least_learning_rate: float = 1e-5

    def __post_init__(self) -> None:
        RegionConfig.__post_init__(self)
        check_words(self, "prompts")
        if not 0.5 <= self.most_of_one_class <= 1:
            raise ConfigError(f"most_of_one_class is {self.most_of_one_class}; it must be from 0.5 to 1.")
        if not 0 <= self.least_agreement <= 1:
            raise ConfigError(f"least_agreement is {self.least_agreement}; it must be from 0 to 1.")
        if self.network == "dynunet":
            raise ConfigError("A dynunet takes volumes, but coarse labels are made picture by picture.")
        self.student(channels=1, seed=0)

    @property
    def is_baseline(self) -> bool:
        """Whether the method works without a student's coarse label."""
        return self.prompts in ("automatic", "none")

    def student(self, channels: int, seed: int) -> StudentConfig:
        """Return the settings of the student, with the loss of the paper."""
        return StudentConfig(
            network=self.network,
            size_px=self.size_px,
            channels=channels,
            loss="dice+bce",
            entropy_weight=0.5,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            least_learning_rate=self.least_learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            steps=self.steps,
            seed=seed,
        )
