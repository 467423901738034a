"""The model's settings and shape, the pictures that it learns from, and the way from noise to pictures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.diffusion import backward_process, new_model, noising_process
from sammed.datasets.synthesis.sampling import sample_pictures
from sammed.datasets.synthesis.training_pictures import TrainingPictures, as_picture, training_pictures
from sammed.errors import AnnotationError, ConfigError
from sammed.progress import Silent


def test_the_settings_are_the_papers() -> None:
    config = DiffusionConfig()
    assert (config.image_size, config.learning_rate, config.batch_size) == (256, 1e-4, 4)
    assert config.timesteps == 1000
    assert config.level_channels == (128, 128, 256, 256, 512, 512)
    assert replace(config, image_size=32).level_channels == (128, 128, 256)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"timesteps": 20}, "timesteps is 20"),
        ({"image_size": 48}, "image_size is 48; use 16, 32, 64, 128 or 256"),
        ({"image_size": 512}, "image_size is 512"),
        ({"width": 48}, "width is 48; it must be a multiple of 32"),
        ({"channels": 2}, "channels is 2; use 1 or 3"),
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        DiffusionConfig(**settings)


@pytest.mark.parametrize("timesteps", [50, 1000])
def test_all_timesteps_together_end_in_noise(timesteps: int) -> None:
    process = noising_process(DiffusionConfig(timesteps=timesteps))
    assert process.betas[0] == pytest.approx(0.1 / timesteps)
    assert process.alphas_cumprod[-1] < 1e-4
    assert process.alphas_cumprod[0] > 0.99


def test_the_seed_decides_the_weights(small: DiffusionConfig) -> None:
    state = torch.random.get_rng_state()
    one, same, other = (new_model(replace(small, seed=seed), (16, 16)) for seed in (0, 0, 1))
    weights = [next(model.network.parameters()) for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_pictures_become_squares_and_come_back(pictures: TrainingPictures) -> None:
    assert pictures.squares.shape == (10, 1, 16, 16)
    assert pictures.shape == (12, 20)
    batch = pictures.batch([3, 3, 7])
    assert batch.shape == (3, 1, 16, 16)
    assert batch.min() >= -1
    assert batch.max() <= 1
    picture = as_picture(batch[0], pictures.shape)
    assert picture.shape == (12, 20, 1)
    assert picture[:5].mean() > 0.8
    assert picture[7:].mean() < 0.2


def test_pictures_of_one_value_teach_nothing() -> None:
    air = np.zeros((8, 8, 1), dtype=np.float32)
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8, 1)
    assert len(training_pictures([air, ramp], 16, 1).squares) == 1
    with pytest.raises(AnnotationError, match="each has a single value"):
        training_pictures([air, air], 16, 1)


def test_a_network_that_knows_the_noise_finds_the_picture_again() -> None:
    """Ho et al. 2020, equations 11 and 15: from x_t and its noise each step leads back to x_0."""
    config = DiffusionConfig(image_size=16, timesteps=50)
    picture = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9
    for steps in (50, 10):
        process = backward_process(config, steps, torch.Generator().manual_seed(1))
        noisy = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(2))
        for step in process.timesteps:
            kept = process.alphas_cumprod[step]
            noise = (noisy - kept.sqrt() * picture) / (1 - kept).sqrt()
            noisy, _ = process.step(noise, int(step), noisy)
        torch.testing.assert_close(noisy, picture, atol=1e-3, rtol=0)


@pytest.mark.parametrize("steps", [None, 3], ids=["DDPM", "DDIM"])
def test_samples_have_their_shape_and_hang_on_the_seed_alone(small: DiffusionConfig, steps: int) -> None:
    model = new_model(small, (12, 20))
    model.network.eval()

    def sampled(seed: int, count: int = 2) -> list[np.ndarray]:
        torch.manual_seed(np.random.default_rng().integers(2**31))  # torch's own state plays no part
        return list(sample_pictures(model, count, seed=seed, reporter=Silent(), steps=steps, batch_size=2))

    first = sampled(0)
    assert [picture.shape for picture in first] == [(12, 20, 1)] * 2
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in first)
    np.testing.assert_array_equal(first, sampled(0))
    assert not np.allclose(first, sampled(1))
    assert not np.allclose(first[0], first[1])
    np.testing.assert_array_equal(first, sampled(0, count=3)[:2])


def test_more_steps_than_the_model_has_are_refused(small: DiffusionConfig) -> None:
    with pytest.raises(ConfigError, match="steps at most 50"):
        next(sample_pictures(new_model(small, (16, 16)), 1, seed=0, reporter=Silent(), steps=51))
