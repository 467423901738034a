"""Settings of a diffusion model and its training: every number, and its source in the papers."""

from dataclasses import dataclass

from sammed.errors import ConfigError
from sammed.ranges import check_least

# Channels of each level as multiples of the width, for 256 pixels; smaller pictures have fewer levels.
# Ho et al. 2020, appendix B, which the paper follows.
MULTIPLIERS = (1, 1, 2, 2, 4, 4)
_NORM_GROUPS = 32  # of MONAI's group norms; widths are its multiples
_LEAST_CELLS = 8  # a side of the lowest level


@dataclass(frozen=True, slots=True)
class DiffusionConfig:
    """Settings of `train_diffusion`. Raises ConfigError for a value out of range.

    `width` is the number of channels of the first level; cost grows with its square. `timesteps` are those of
    the noising process, `steps` those of training.
    """

    image_size: int = 256  # paper, 3
    channels: int = 1
    width: int = 128  # Wolleb et al. 2021, which the paper follows
    res_blocks: int = 2  # likewise
    timesteps: int = 1000  # likewise, noise growing linearly
    learning_rate: float = 1e-4  # paper, 3
    batch_size: int = 4  # paper, 3
    steps: int = 20_000  # ours
    seed: int = 0
    checkpoint_seconds: float = 60.0
    device: str = "auto"

    def __post_init__(self) -> None:
        size = self.image_size
        if not (2 * _LEAST_CELLS <= size <= 256 and size & (size - 1) == 0):
            raise ConfigError(f"image_size is {size}; use 16, 32, 64, 128 or 256.")
        if self.channels not in (1, 3):
            raise ConfigError(f"channels is {self.channels}; use 1 or 3.")
        if self.width < _NORM_GROUPS or self.width % _NORM_GROUPS:
            raise ConfigError(f"width is {self.width}; it must be a multiple of {_NORM_GROUPS}.")
        check_least(self, 1, "res_blocks", "batch_size", "steps")
        check_least(self, 50, "timesteps")
        if not self.learning_rate > 0 or self.seed < 0:
            raise ConfigError("learning_rate must be above 0, and seed 0 or more.")

    @property
    def noise_range(self) -> tuple[float, float]:
        """Variance of the noise that the first and the last timestep add (beta).

        Ho et al. 2020 use 1e-4 to 0.02 for 1000 timesteps; fewer steps add more each, so that all end in
        noise.
        """
        scale = 1000 / self.timesteps
        return 1e-4 * scale, 0.02 * scale

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of each level, the highest first; the lowest has eight cells a side."""
        levels = (self.image_size // _LEAST_CELLS).bit_length()
        return tuple(self.width * multiple for multiple in MULTIPLIERS[:levels])
