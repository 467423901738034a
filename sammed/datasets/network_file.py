"""Trained networks as files: weights and a header in one safetensors file, and the digest that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import nn

from sammed.errors import SammedError
from sammed.storage.network_state import load_state, state_of
from sammed.storage.tensor_file import TensorKind, read_tensors, tensor_digest, write_tensors
from sammed.version import __version__
from sammed_volumes.errors import VolumeError
from sammed_volumes.json_text import MALFORMED


class HasNetwork(Protocol):
    """A model around a network, such as a student."""

    @property
    def network(self) -> nn.Module:
        """The network."""


Model = TypeVar("Model", bound=HasNetwork)


def write_network(
    kind: TensorKind, header: Mapping[str, Any], network: nn.Module, path: Path, *, overwrite: bool
) -> Path:
    """Write a network; an existing file is kept unless `overwrite`. `read_network` reads it."""
    tensors = state_of(network)
    write_tensors(kind, {"sammed": __version__, **header}, tensors, path, overwrite=overwrite)
    return path


def read_network(kind: TensorKind, path: Path, build: Callable[[Mapping[str, Any]], Model]) -> Model:
    """Read a model onto the CPU, frozen; `build` makes it from the header with fresh weights.

    Raises `kind.error`, which names the file and what is wrong with it.
    """
    header, tensors = read_tensors(kind, path)
    try:
        model = build(header)
        load_state(model.network, tensors)
    except (*MALFORMED, RuntimeError, SammedError, VolumeError) as error:
        fact = str(error).partition("\n")[0]  # torch goes on with a trace of its own
        raise kind.error(f"{path} is {kind.noun} that can't be read: {fact}") from error
    model.network.eval().requires_grad_(False)
    return model


def network_digest(name: str, network: nn.Module) -> str:
    """Return 64 hexadecimal digits over a name and the weights; no file is needed."""
    weights = {key: tensor.detach().cpu() for key, tensor in state_of(network).items()}
    return tensor_digest(name, weights)
