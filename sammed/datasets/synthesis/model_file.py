"""The model's file: weights, config and shape in one safetensors file; and the checkpoint of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sammed.datasets.network_file import network_digest, read_network, write_network
from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.diffusion import DiffusionModel, new_model
from sammed.errors import SynthesisError
from sammed.storage.checkpoint import Checkpoint
from sammed.storage.tensor_file import TensorKind

_MODEL = TensorKind("sammed_diffusion", "a diffusion model", 1, SynthesisError)
_CHECKPOINT = TensorKind("sammed_diffusing", "a diffusion model's checkpoint", 1, SynthesisError)


@dataclass(frozen=True, slots=True)
class Progress:
    """The loss of each step done."""

    losses: tuple[float, ...] = ()

    @property
    def step(self) -> int:
        """The number of steps done."""
        return len(self.losses)


def save_model(model: DiffusionModel, path: Path, *, overwrite: bool = False) -> Path:
    """Write a model; an existing file is kept unless `overwrite`. `load_model` reads it."""
    return write_network(_MODEL, _header(model), model.network, path, overwrite=overwrite)


def load_model(path: Path) -> DiffusionModel:
    """Read a model onto the CPU. Raises SynthesisError, which names the file and what is wrong with it."""
    return read_network(_MODEL, path, _model_of)


def model_digest(model: DiffusionModel) -> str:
    """Return the digest that names a model in the pictures it made (64 hexadecimal digits)."""
    return network_digest("diffusion", model.network)


def model_checkpoint(
    path: Path | None, model: DiffusionModel, optimizer: torch.optim.Optimizer, pictures: str
) -> Checkpoint[Progress]:
    """Return the checkpoint at `path`; `pictures` is the digest of the training pictures."""
    return Checkpoint(_CHECKPOINT, path, model.network, optimizer, _identity(model, pictures), _progress)


def _progress(header: Mapping[str, Any]) -> Progress:
    return Progress(tuple(header["losses"]))


def _header(model: DiffusionModel) -> dict[str, Any]:
    return {"config": asdict(model.config), "shape": list(model.shape)}


def _model_of(header: Mapping[str, Any]) -> DiffusionModel:
    height, width = header["shape"]
    return new_model(DiffusionConfig(**header["config"]), (int(height), int(width)))


def _identity(model: DiffusionModel, pictures: str) -> dict[str, Any]:
    """Return what must be the same to continue: all but the device and how often the state is saved."""
    config = replace(model.config, device="auto", checkpoint_seconds=0.0)
    return {**_header(replace(model, config=config)), "pictures": pictures}
