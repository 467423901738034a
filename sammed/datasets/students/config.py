"""Settings of a student and its training: every number in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from sammed.errors import ConfigError

NetworkName: TypeAlias = Literal["unet", "unet++", "dynunet"]
LossName: TypeAlias = Literal["dice+bce", "dice+ce"]
OptimizerName: TypeAlias = Literal["sgd", "adam"]

_DIVISOR = 16  # UNet and UNet++ halve a picture four times


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Settings of `train_student`. Raises ConfigError for a value out of range.

    "unet" and "unet++" are 2-D: pictures are scaled to `size_px` a side. "dynunet" is 3-D: patches of
    `size_px` pixels a side and `depth_px` slices are sampled from volumes. `loss` "dice+bce" gives each label
    its own sigmoid, "dice+ce" one softmax over background and labels. The learning rate falls along a cosine
    to `least_learning_rate`. `steps` counts batches and overrides `epochs`, each of which shows each sample
    once.
    """

    network: NetworkName = "unet++"
    size_px: int = 256
    depth_px: int = 32
    channels: int = 1
    features: tuple[int, ...] = (32, 32, 64, 128, 256, 32)  # MONAI's own
    loss: LossName = "dice+bce"
    dice_weight: float = 1.0
    entropy_weight: float = 0.5
    optimizer: OptimizerName = "sgd"
    learning_rate: float = 1e-3
    least_learning_rate: float = 1e-5
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 4
    epochs: int = 100
    steps: int | None = None
    augment: bool = True
    seed: int = 0
    checkpoint_seconds: float = 60.0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("network", NetworkName), ("loss", LossName), ("optimizer", OptimizerName)):
            if getattr(self, name) not in get_args(known):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; use {', '.join(get_args(known))}.")
        for name in ("size_px", "depth_px"):
            if getattr(self, name) < _DIVISOR or getattr(self, name) % _DIVISOR:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be a multiple of {_DIVISOR}.")
        if self.channels not in (1, 3):
            raise ConfigError(f"channels is {self.channels}; a student takes 1 or 3.")
        if len(self.features) != 6 or min(self.features) < 1:
            raise ConfigError("features must be six numbers of channels, as for MONAI's BasicUNet.")
        if self.batch_size < 1 or self.epochs < 1 or (self.steps is not None and self.steps < 1):
            raise ConfigError("batch_size, epochs and steps must be 1 or more.")
        self._check_rates()

    def _check_rates(self) -> None:
        if not 0 <= self.least_learning_rate <= self.learning_rate or self.learning_rate == 0:
            raise ConfigError(
                "learning_rate must be above 0, and least_learning_rate from 0 to learning_rate."
            )
        if not (0 <= self.momentum < 1 and self.weight_decay >= 0 and self.seed >= 0):
            raise ConfigError("momentum must be from 0 to below 1; weight_decay and seed must be 0 or more.")
        if min(self.dice_weight, self.entropy_weight) < 0 or self.dice_weight + self.entropy_weight == 0:
            raise ConfigError("dice_weight and entropy_weight must be 0 or more, and not both 0.")

    @property
    def is_3d(self) -> bool:
        """Whether the student takes volumes instead of pictures."""
        return self.network == "dynunet"
