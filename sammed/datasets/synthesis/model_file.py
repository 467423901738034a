"""The model's file: weights, config and shape in one safetensors file; and the checkpoint of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.diffusion import DiffusionModel, new_model
from sammed.errors import ConfigError, SynthesisError
from sammed.storage.checkpoint import read_checkpoint, write_checkpoint
from sammed.storage.network_state import load_state, state_of
from sammed.storage.tensor_file import TensorKind, read_tensors, tensor_digest, write_tensors
from sammed.version import __version__

_MODEL = TensorKind("sammed_diffusion", "a diffusion model", 1, SynthesisError)
_CHECKPOINT = TensorKind("sammed_diffusing", "a diffusion model's checkpoint", 1, SynthesisError)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is: steps done, and the loss of each of them."""

    losses: tuple[float, ...] = ()

    @property
    def step(self) -> int:
        """The steps that are done."""
        return len(self.losses)


def save_model(model: DiffusionModel, path: Path, *, overwrite: bool = False) -> Path:
    """Write a model; a file that exists is kept unless `overwrite`. `load_model` reads it again."""
    header = {"sammed": __version__, **_header(model)}
    write_tensors(_MODEL, header, state_of(model.network), path, overwrite=overwrite)
    return path


def load_model(path: Path) -> DiffusionModel:
    """Read a model onto the CPU; SynthesisError names the file and says what is wrong with it."""
    header, tensors = read_tensors(_MODEL, path)
    try:
        height, width = header["shape"]
        model = new_model(DiffusionConfig(**header["config"]), (int(height), int(width)))
        load_state(model.network, tensors)
    except (LookupError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise SynthesisError(f"{path} is a diffusion model that can't be read: {error}") from error
    model.network.eval().requires_grad_(False)
    return model


def model_digest(model: DiffusionModel) -> str:
    """The digest that names a model in the pictures that it made (64 hexadecimal digits)."""
    weights = {name: tensor.detach().cpu() for name, tensor in state_of(model.network).items()}
    return tensor_digest("diffusion", weights)


def save_checkpoint(
    path: Path, model: DiffusionModel, optimizer: torch.optim.Optimizer, progress: Progress, pictures: str
) -> None:
    """Replace the checkpoint; `pictures` is the digest of what is trained on."""
    done = {"losses": list(progress.losses)}
    write_checkpoint(_CHECKPOINT, path, model.network, optimizer, _identity(model, pictures), done)


def load_checkpoint(
    path: Path, model: DiffusionModel, optimizer: torch.optim.Optimizer, pictures: str
) -> Progress:
    """Put the checkpoint's state into the model and its optimizer, in place, and say how far it is.

    SynthesisError for a checkpoint of another config or other pictures.
    """
    identity = _identity(model, pictures)
    return read_checkpoint(
        _CHECKPOINT,
        path,
        model.network,
        optimizer,
        identity,
        lambda header: Progress(tuple(header["losses"])),
    )


def _header(model: DiffusionModel) -> dict[str, Any]:
    return {"config": asdict(model.config), "shape": list(model.shape)}


def _identity(model: DiffusionModel, pictures: str) -> dict[str, Any]:
    """What must be the same for a training to go on: all but where and how often it is kept."""
    config = replace(model.config, device="auto", checkpoint_seconds=0.0)
    return {**_header(replace(model, config=config)), "pictures": pictures}
