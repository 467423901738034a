"""Tensors with a JSON header in one safetensors file, without pickle, so that a shared file can't run code.

A digest over the header and all tensors detects an altered file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sammed.errors import SammedError
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.json_text import MALFORMED, parse_json

_DIGEST = "sha256"


@dataclass(frozen=True, slots=True)
class TensorKind:
    """A kind of tensor file: `key` marks it in the file, `noun` names it in messages ("a student").

    `version` is the highest format that can be read; `error` is raised for such files.
    """

    key: str
    noun: str
    version: int
    error: type[SammedError]


def write_tensors(
    kind: TensorKind, header: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path, *, overwrite: bool
) -> None:
    """Write a file for `read_tensors`; it appears complete or not at all."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": kind.version, **header}, ensure_ascii=False)
    metadata = {kind.key: text, _DIGEST: tensor_digest(text, kept)}
    with atomic_file(path, ".safetensors", overwrite=overwrite) as partial:
        # Not `save_file`, which raises no OSError when the disk is full.
        partial.write_bytes(save(kept, metadata))


def read_tensors(kind: TensorKind, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return header and tensors; `kind.error` for a file that is missing, altered, newer or another kind."""
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise kind.error(f"There is no file {path}.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise kind.error(
            f"{path} is not {kind.noun}, or was cut short; create it again, or copy it again."
        ) from error
    if kind.key not in metadata:
        raise kind.error(f"{path} holds tensors but is not {kind.noun} of sammed; use another file.")
    header = _header(kind, path, metadata[kind.key])
    if metadata.get(_DIGEST) != tensor_digest(metadata[kind.key], tensors):
        raise kind.error(
            f"{path} was altered after it was written: its digest is wrong; create or copy it again."
        )
    return header, tensors


def tensor_digest(header: str, tensors: Mapping[str, Tensor]) -> str:
    """Return a digest (64 hexadecimal digits) of a header and all tensors, on the CPU."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def tensors_below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix/`, under the rest of their names."""
    start = prefix + "/"
    return {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}


def _header(kind: TensorKind, path: Path, text: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = parse_json(text)
        version = int(header["format"])
    except MALFORMED as error:
        raise kind.error(f"{path} has a damaged header.") from error
    if version > kind.version:
        raise kind.error(
            f"{path} was written by a later sammed (format {version}; this one reads up to {kind.version}); "
            "update sammed."
        )
    return header
