"""The checkpoint of a training: weights, optimizer state and progress, in one tensor file.

The file is replaced as a whole, never changed in place, so that a kill at any moment leaves an intact one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sammed.storage.network_state import load_state, state_of
from sammed.storage.tensor_file import TensorKind, read_tensors, tensors_below, write_tensors
from sammed_volumes.json_text import MALFORMED

Progress = TypeVar("Progress")


def write_checkpoint(
    kind: TensorKind,
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    progress: Mapping[str, Any],
) -> None:
    """Replace the checkpoint. A training resumes from it only if its `identity` is the same."""
    tensors = {f"network/{name}": tensor for name, tensor in state_of(network).items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors.update(
            {f"optimizer/{number}/{name}": tensor for name, tensor in state.items() if tensor is not None}
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(kind, {**identity, **progress}, tensors, path, overwrite=True)


def read_checkpoint(
    kind: TensorKind,
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    progress_of: Callable[[Mapping[str, Any]], Progress],
) -> Progress:
    """Load the checkpoint's state into the network and its optimizer, in place, and return the progress.

    Raises `kind.error` for a checkpoint with another identity, and for one that can't be read.
    """
    header, tensors = read_tensors(kind, path)
    other = [name for name, value in identity.items() if header.get(name) != value]
    if other:
        raise kind.error(
            f"{path} is the checkpoint of another training (other {' and '.join(other)}); remove it, or "
            "choose another place."
        )
    try:
        load_state(network, tensors_below(tensors, "network"))
        groups = optimizer.state_dict()["param_groups"]
        state = _optimizer_state(tensors_below(tensors, "optimizer"))
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return progress_of(header)
    except (*MALFORMED, RuntimeError) as error:
        raise kind.error(f"{path} is a checkpoint that can't be read: {error}; remove it.") from error


def _optimizer_state(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    return state
