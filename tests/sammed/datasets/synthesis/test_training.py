"""Training: it learns, it goes on after a break as if there had been none, and its file comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.model_file import load_model, model_digest, save_model
from sammed.datasets.synthesis.sampling import sample_pictures
from sammed.datasets.synthesis.training import batch_rows, train_diffusion
from sammed.datasets.synthesis.training_pictures import TrainingPictures
from sammed.errors import SynthesisError
from sammed.progress import Silent, Task


def test_it_learns_to_tell_noise_from_picture(pictures: TrainingPictures, small: DiffusionConfig) -> None:
    trained = train_diffusion(pictures, replace(small, steps=40), Silent())
    assert len(trained.losses) == 40
    assert trained.losses[0] == pytest.approx(1, abs=0.1), "who knows nothing is wrong by 1"
    assert np.mean(trained.losses[-10:]) < 0.3
    assert trained.model.shape == pictures.shape


class Interrupt(Silent):
    """A reporter that ends the work after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise KeyboardInterrupt


def test_after_a_break_it_goes_on_to_the_same_model(
    pictures: TrainingPictures, small: DiffusionConfig, tmp_path: Path
) -> None:
    whole = train_diffusion(pictures, small, Silent())
    checkpoint = tmp_path / "model.checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train_diffusion(pictures, small, Interrupt(2), checkpoint=checkpoint)
    assert checkpoint.is_file()
    resumed = train_diffusion(pictures, small, Silent(), checkpoint=checkpoint)
    assert resumed.losses == whole.losses
    assert model_digest(resumed.model) == model_digest(whole.model)


def test_a_checkpoint_of_another_training_is_refused(
    pictures: TrainingPictures, small: DiffusionConfig, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "model.checkpoint.safetensors"
    train_diffusion(pictures, replace(small, steps=1), Silent(), checkpoint=checkpoint)
    with pytest.raises(SynthesisError, match=r"another training \(other config\)"):
        train_diffusion(pictures, small, Silent(), checkpoint=checkpoint)
    fewer = replace(pictures, squares=pictures.squares[:5])
    with pytest.raises(SynthesisError, match=r"another training \(other pictures\)"):
        train_diffusion(fewer, replace(small, steps=1), Silent(), checkpoint=checkpoint)


def test_each_epoch_shows_every_picture_once(small: DiffusionConfig) -> None:
    config = replace(small, batch_size=3)
    seen = [row for step in range(4) for row in batch_rows(config, 6, step)]
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6))
    assert seen[:6] != seen[6:]


def test_the_file_holds_the_model(pictures: TrainingPictures, small: DiffusionConfig, tmp_path: Path) -> None:
    model = train_diffusion(pictures, replace(small, steps=1), Silent()).model
    path = save_model(model, tmp_path / "model.safetensors")
    read = load_model(path)
    assert (read.config, read.shape) == (model.config, (12, 20))
    assert model_digest(read) == model_digest(model)
    first, second = (next(sample_pictures(each, 1, seed=3, reporter=Silent())) for each in (model, read))
    np.testing.assert_array_equal(first, second)


def test_a_file_that_is_altered_or_something_else_is_refused(
    pictures: TrainingPictures, small: DiffusionConfig, tmp_path: Path
) -> None:
    model = train_diffusion(pictures, replace(small, steps=1), Silent()).model
    path = save_model(model, tmp_path / "model.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(SynthesisError, match="was altered"):
        load_model(path)
    torch.save({}, path)
    with pytest.raises(SynthesisError, match="is not a diffusion model"):
        load_model(path)
    with pytest.raises(SynthesisError, match="There is no file"):
        load_model(tmp_path / "nowhere.safetensors")
