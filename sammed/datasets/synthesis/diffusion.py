"""The diffusion model: MONAI's UNet and its noising process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from monai.networks.schedulers.ddim import DDIMScheduler
from monai.networks.schedulers.ddpm import DDPMScheduler
from torch import Tensor

from sammed.datasets.synthesis.config import DiffusionConfig

_ATTENTION_CELLS = 16  # a side of the level that has attention; Ho et al. 2020 and Wolleb et al. 2021


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionModel:
    """A network that predicts the noise in pictures, and the shape (rows, columns) of its pictures.

    The network takes squares of values -1..1; pictures of other shapes are stretched, and samples are
    stretched back.
    """

    network: DiffusionModelUNet
    config: DiffusionConfig
    shape: tuple[int, int]


def new_model(config: DiffusionConfig, shape: tuple[int, int]) -> DiffusionModel:
    """Return an untrained model; the config's seed determines its weights."""
    channels = config.level_channels
    cells = [config.image_size >> level for level in range(len(channels))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = DiffusionModelUNet(
            spatial_dims=2,
            in_channels=config.channels,
            out_channels=config.channels,
            num_res_blocks=config.res_blocks,
            channels=channels,
            attention_levels=[side == _ATTENTION_CELLS for side in cells],
            num_head_channels=channels,  # one head, as Wolleb et al. 2021
        )
    return DiffusionModel(network, config, shape)


class SeededDDPM(DDPMScheduler):
    """MONAI's noising process, with its own random generator for the way back."""

    def __init__(self, config: DiffusionConfig, generator: torch.Generator) -> None:
        super().__init__(**_schedule(config))
        self._generator = generator

    def step(
        self, model_output: Tensor, timestep: int, sample: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take one step back toward a picture (Ho et al. 2020, algorithm 2)."""
        found: tuple[Tensor, Tensor] = super().step(
            model_output, timestep, sample, generator or self._generator
        )
        return found


def backward_process(
    config: DiffusionConfig, steps: int, generator: torch.Generator
) -> DDPMScheduler | DDIMScheduler:
    """Return the process from noise to pictures: DDPM, or DDIM in fewer steps, which adds no noise."""
    whole = steps == config.timesteps
    scheduler = SeededDDPM(config, generator) if whole else DDIMScheduler(**_schedule(config))
    scheduler.set_timesteps(steps)
    return scheduler


def noising_process(config: DiffusionConfig) -> DDPMScheduler:
    """Return the process from pictures to noise, for training."""
    return DDPMScheduler(**_schedule(config))


def _schedule(config: DiffusionConfig) -> dict[str, Any]:
    first, last = config.noise_range
    return {"num_train_timesteps": config.timesteps, "beta_start": first, "beta_end": last}
