"""The tensors in a file of weights, and their digest."""

import hashlib
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sammed.errors import CheckpointError


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, by name, on the CPU.

    Raises CheckpointError if it contains anything else. No code in the file can run: torch reads it with
    `weights_only=True`.
    """
    try:
        with warnings.catch_warnings():
            # The warning is about an unusual pickle, which either loads anyway or is refused below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} is not a checkpoint, or contains more than tensors, which sammed does not read because "
            "it could run code. Save the model's state_dict alone."
        ) from None
    except Exception as error:  # damaged bytes make the unpickler raise errors of every kind
        raise CheckpointError(
            f"{path} is damaged or is not a torch checkpoint; copy or download it again."
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"{path} contains more than named tensors; save the model's state_dict alone, unwrapped."
        )
    return dict(content)


def tensors_digest(tensors: Mapping[str, Tensor], label: str = "") -> str:
    """Return the sha256 over a label and the tensors' names, types, shapes and bytes, whatever their file."""
    digest = hashlib.sha256(label.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
