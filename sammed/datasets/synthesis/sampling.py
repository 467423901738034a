"""Sampling: a trained diffusion model turns noise into pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from monai.inferers.inferer import DiffusionInferer
from torch import Tensor

from sammed.backbones.device import choose_device
from sammed.datasets.synthesis.diffusion import DiffusionModel, backward_process
from sammed.datasets.synthesis.training_pictures import as_picture
from sammed.errors import ConfigError
from sammed.progress import Reporter, Task


def sample_pictures(
    model: DiffusionModel,
    count: int,
    *,
    seed: int,
    reporter: Reporter,
    steps: int | None = None,
    batch_size: int = 4,
    device: str = "auto",
) -> Iterator[Float[np.ndarray, "H W C"]]:
    """Yield `count` pictures 0..1 in the shape of the training pictures.

    With all of the model's timesteps (None) sampling is DDPM, with fewer `steps` DDIM, which is faster and
    less varied. The same seed, batch size and device give the same pictures; a larger count starts with those
    of a smaller one that fills whole batches. Raises ConfigError for numbers out of range.
    """
    most = model.config.timesteps
    steps = most if steps is None else steps
    if count < 1 or batch_size < 1 or not 1 <= steps <= most:
        raise ConfigError(
            f"Can't sample {count} pictures in batches of {batch_size} and {steps} steps: each must be 1 or "
            f"more, and steps at most {most}."
        )
    model.network.to(choose_device(device))
    with reporter.task("sampling", -(-count // batch_size) * steps) as task:
        for start in range(0, count, batch_size):
            for square in _batch(model, min(batch_size, count - start), (seed, start), steps, task):
                yield as_picture(square, model.shape)


def _batch(
    model: DiffusionModel, size: int, seed: tuple[int, int], steps: int, task: Task
) -> Float[Tensor, "B C s s"]:
    device = next(model.network.parameters()).device
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    generator = torch.Generator(device).manual_seed(number)
    side = model.config.image_size
    noise = torch.randn(size, model.config.channels, side, side, generator=generator, device=device)
    scheduler = backward_process(model.config, steps, generator)
    # Any callable will do; MONAI's own annotation says its UNet.
    found = DiffusionInferer(scheduler).sample(noise, _watched(model, task), verbose=False)  # type: ignore[arg-type]
    assert isinstance(found, Tensor)  # pictures alone, for no steps between were asked for
    return found


def _watched(model: DiffusionModel, task: Task) -> Callable[..., Tensor]:
    """Return the network as a function that reports each step."""

    def predict(noisy: Tensor, timesteps: Tensor, context: Tensor | None = None) -> Tensor:
        found: Tensor = model.network(noisy, timesteps, context)
        task.advance()
        return found

    return predict
