"""Train a diffusion model (Ho et al. 2020, algorithm 1) so that a kill loses only time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.inferers.inferer import DiffusionInferer
from torch import Tensor
from torch.nn import functional as F

from sammed.backbones.device import choose_device
from sammed.datasets.resumable_training import descend, run_steps, shuffled_row
from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.diffusion import DiffusionModel, new_model, noising_process
from sammed.datasets.synthesis.model_file import Progress, model_checkpoint
from sammed.datasets.synthesis.training_pictures import TrainingPictures
from sammed.errors import SynthesisError
from sammed.progress import Reporter

_NOISE = 2  # what a seed is for; 1 is `shuffled_row`


@dataclass(frozen=True, slots=True, eq=False)
class TrainedDiffusion:
    """A trained model and the loss of each step."""

    model: DiffusionModel
    losses: tuple[float, ...]


def train_diffusion(
    pictures: TrainingPictures,
    config: DiffusionConfig,
    reporter: Reporter,
    *,
    checkpoint: Path | None = None,
) -> TrainedDiffusion:
    """Learn to predict the noise in a picture at every step of the noising process.

    `checkpoint` keeps the state; where it exists, training continues from it, and the same pictures, config
    and threads give the same model as without the break. Raises SynthesisError for the checkpoint of another
    training, and for a loss that is not finite.
    """
    model = new_model(config, pictures.shape)
    model.network.to(choose_device(config.device))
    optimizer = torch.optim.Adam(model.network.parameters(), lr=config.learning_rate)
    inferer = DiffusionInferer(noising_process(config))
    losses = _Training(model, optimizer, pictures, inferer, checkpoint).run(reporter)
    model.network.eval().requires_grad_(False)
    return TrainedDiffusion(model, losses)


def batch_rows(config: DiffusionConfig, count: int, step: int) -> list[int]:
    """Return which of `count` pictures a step sees; the seed and the step determine it."""
    places = range(step * config.batch_size, (step + 1) * config.batch_size)
    return [shuffled_row(place, count, config.seed) for place in places]


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    model: DiffusionModel
    optimizer: torch.optim.Optimizer
    pictures: TrainingPictures
    inferer: DiffusionInferer
    checkpoint: Path | None

    def run(self, reporter: Reporter) -> tuple[float, ...]:
        """Take all remaining steps and return the loss of every step."""
        config = self.model.config
        digest = self.pictures.digest() if self.checkpoint else ""
        progress = run_steps(
            "training the diffusion model",
            Progress(),
            config.steps,
            lambda done: Progress((*done.losses, self._step(done.step))),
            model_checkpoint(self.checkpoint, self.model, self.optimizer, digest),
            config.checkpoint_seconds,
            reporter,
        )
        return progress.losses

    def _step(self, step: int) -> float:
        """Learn from one batch and return its loss, the mean squared error of the predicted noise."""
        config, network = self.model.config, self.model.network.train()
        device = next(network.parameters()).device
        images = self.pictures.batch(batch_rows(config, len(self.pictures.squares), step))
        noise, timesteps = _noise_and_times(images, config, step)
        found: Tensor = self.inferer(images.to(device), network, noise.to(device), timesteps.to(device))
        loss = F.mse_loss(found, noise.to(device))
        return descend(loss, self.optimizer, step, SynthesisError)


def _noise_and_times(images: Tensor, config: DiffusionConfig, step: int) -> tuple[Tensor, Tensor]:
    """Return noise and times for one step, on the CPU, so that they are the same on every device."""
    seed = np.random.SeedSequence((config.seed, _NOISE, step)).generate_state(1)[0]
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(images.shape, generator=generator)
    return noise, torch.randint(0, config.timesteps, (len(images),), generator=generator)
