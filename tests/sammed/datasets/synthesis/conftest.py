"""Small diffusion models: 16 pixels, one level of attention, fifty steps of noise."""

import numpy as np
import pytest

from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.training_pictures import TrainingPictures, training_pictures

SMALL = DiffusionConfig(
    image_size=16, width=32, res_blocks=1, timesteps=50, steps=4, learning_rate=1e-3, checkpoint_seconds=0
)


@pytest.fixture
def small() -> DiffusionConfig:
    return SMALL


@pytest.fixture(scope="session")
def pictures() -> TrainingPictures:
    """Ten pictures of 12 x 20 pixels, bright above and dark below."""
    rng = np.random.default_rng(0)
    bright = np.where(np.arange(12) < 6, 0.9, 0.1)[:, None, None]
    images = [(bright + rng.normal(0, 0.03, (12, 20, 1))).clip(0, 1).astype(np.float32) for _ in range(10)]
    return training_pictures(images, SMALL.image_size, channels=1)
