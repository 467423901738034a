"""The skill file: safetensors, so that a shared file can't run code, with a header of JSON.

Tensors are named `encoder/VALUE/NAME`, `sap_net/NAME`, `prototypes/NAME`, `classifier/NAME` and
`annotations/masks`, which are bytes packed by zlib: plain, the masks would be most of the file.
`sammed.storage.tensor_file` writes them with a digest that tells an altered file from a whole one.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt
from torch import Tensor

from sammed.auto.annotations import Annotations
from sammed.auto.classification import LearnedClassifier
from sammed.auto.fusion import LabelChoice
from sammed.auto.sap_net import Prototypes, SapNet, SapNetConfig
from sammed.auto.sap_training import LearnedSapNet
from sammed.errors import SammedError, SkillError
from sammed.skills.model import AutoModel, SkillModel
from sammed.storage.tensor_file import TensorKind, read_tensors, tensor_digest, tensors_below, write_tensors
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

FORMAT = 2
"""Raised when an older sammed could no longer read what a newer one writes."""

_KIND = TensorKind("sammed_skill", "a skill", FORMAT, SkillError)


def write_skill(skill: SkillModel, path: Path, *, overwrite: bool = False) -> Path:
    """Write a skill; a file that exists is kept unless `overwrite`. `read_skill` reads it again."""
    write_tensors(_KIND, _header(skill), _tensors(skill), path, overwrite=overwrite)
    return path


def read_skill(path: Path) -> SkillModel:
    """Read a skill; SkillError names the file and says what is wrong with it."""
    header, tensors = _read(path)
    try:
        return _skill(header, tensors)
    except (LookupError, TypeError, ValueError, RuntimeError, zlib.error, SammedError) as error:
        raise SkillError(f"{path} is a skill whose header can't be read; learn it again.") from error


def skill_digest(skill: SkillModel) -> str:
    """The digest that names a skill in the provenance of what it labeled (64 hexadecimal digits)."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(skill).items()}
    return tensor_digest(json.dumps({"format": FORMAT, **_header(skill)}, ensure_ascii=False), tensors)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise SkillError(f"There is no skill {path}; learn one with `sammed assist-train`.")
    return read_tensors(_KIND, path)


def _tensors(skill: SkillModel) -> dict[str, Tensor]:
    tensors = {"annotations/masks": _packed(skill.annotations.masks)}
    for value, encoder in skill.encoders.items():
        tensors.update({f"encoder/{value}/{name}": tensor for name, tensor in encoder.items()})
    if skill.auto is not None:
        net = skill.auto.sap_net
        tensors.update({f"sap_net/{name}": tensor for name, tensor in net.network.state_dict().items()})
        tensors.update(_of_dataclass("prototypes", net.prototypes))
        tensors.update(_of_dataclass("classifier", skill.auto.classifier))
    return tensors


def _header(skill: SkillModel) -> dict[str, Any]:
    header = {
        "sammed": skill.version,
        "backbone": skill.backbone,
        "backbone_digest": skill.backbone_digest,
        "plane": skill.plane,
        "axis": skill.axis,
        "window": asdict(skill.window),
        "labels": [label.to_json() for label in skill.labels],
        "annotated": list(skill.annotations.indices),
        "masks": {"dtype": skill.annotations.masks.dtype.name, "shape": skill.annotations.masks.shape},
        "volume_sha256": skill.volume_sha256,
        "prompts": skill.prompts,
        "seed": skill.seed,
    }
    if skill.resampled_marks:
        header["resampled_marks"] = True
    if skill.auto is not None:
        header["sap_net"] = asdict(skill.auto.sap_net.network.config)
        header["choices"] = {str(value): asdict(choice) for value, choice in skill.auto.choices.items()}
    return header


def _skill(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SkillModel:
    labels = tuple(Label.from_json(each) for each in header["labels"])
    masks = _unpacked(tensors["annotations/masks"], **header["masks"])
    return SkillModel(
        backbone=header["backbone"],
        backbone_digest=header["backbone_digest"],
        plane=header["plane"],
        axis=header["axis"],
        window=Window(**header["window"]),
        labels=labels,
        encoders={label.value: _part(tensors, f"encoder/{label.value}") for label in labels},
        annotations=Annotations(tuple(header["annotated"]), masks, labels),
        volume_sha256=header["volume_sha256"],
        prompts=header["prompts"],
        seed=header["seed"],
        auto=_auto(header, tensors) if "sap_net" in header else None,
        resampled_marks=header.get("resampled_marks", False),
        version=header["sammed"],
    )


def _auto(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AutoModel:
    network = SapNet(SapNetConfig(**header["sap_net"]), torch.Generator())
    network.load_state_dict(_part(tensors, "sap_net"))
    network.eval().requires_grad_(False)
    choices = {int(value): LabelChoice(**choice) for value, choice in header["choices"].items()}
    prototypes = Prototypes(**_part(tensors, "prototypes"))
    classifier = LearnedClassifier(**_part(tensors, "classifier"))
    return AutoModel(LearnedSapNet(network, prototypes), classifier, choices)


def _packed(masks: UInt[np.ndarray, "A H W"]) -> Tensor:
    packed = zlib.compress(np.ascontiguousarray(masks, masks.dtype.newbyteorder("<")).tobytes())
    return torch.frombuffer(bytearray(packed), dtype=torch.uint8)


def _unpacked(packed: Tensor, dtype: str, shape: Sequence[int]) -> UInt[np.ndarray, "A H W"]:
    little = np.dtype(dtype).newbyteorder("<")
    # No more bytes than the masks have: a file can't make this fill the memory.
    unpacked = zlib.decompressobj().decompress(packed.numpy().tobytes(), math.prod(shape) * little.itemsize)
    return np.frombuffer(unpacked, little).reshape(shape).astype(dtype)


def _of_dataclass(prefix: str, value: Prototypes | LearnedClassifier) -> dict[str, Tensor]:
    return {f"{prefix}/{each.name}": getattr(value, each.name) for each in fields(value)}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    part = tensors_below(tensors, prefix)
    if not part:
        raise SkillError(f"it has no tensors {prefix!r}")
    return part
