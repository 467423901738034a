"""The skill file: safetensors, so that a shared file can't run code, with a header of JSON.

Tensors are named `encoder/VALUE/NAME`, `sap_net/NAME`, `prototypes/NAME`, `classifier/NAME` and
`annotations/masks`. The masks are compressed by zlib, because they would be most of the file.
`sammed.storage.tensor_file` writes the tensors with a digest that detects a changed file.
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

from sammed.annotations.annotations import Annotations
from sammed.auto.classification import TrainedClassifier
from sammed.auto.label_choice import LabelChoice, Mixture
from sammed.auto.sap_net import Prototypes, SapNet, SapNetConfig
from sammed.auto.sap_training import TrainedSapNet
from sammed.errors import SammedError, SkillError
from sammed.skills.model import AutoModel, SkillModel
from sammed.storage.tensor_file import TensorKind, read_tensors, tensor_digest, tensors_below, write_tensors
from sammed_volumes.intensity import Window
from sammed_volumes.json_text import MALFORMED
from sammed_volumes.labels import Label

FORMAT = 3
"""Increased when an older sammed can't read what a newer one writes."""

_CHOICE_KEYS = {"mask_from": "source"}
"""Fields of `LabelChoice` that the header calls by an older name."""

_FORMER_KEY = "doubt"
"""Up to format 2: the border uncertainty of shapes that did not follow the anatomy."""

_KIND = TensorKind("sammed_skill", "a skill", FORMAT, SkillError)


def write_skill(skill: SkillModel, path: Path, *, overwrite: bool = False) -> Path:
    """Write a skill. Raises OutputError where the file exists, unless `overwrite`."""
    write_tensors(_KIND, _header(skill), _tensors(skill), path, overwrite=overwrite)
    return path


def read_skill(path: Path) -> SkillModel:
    """Read a skill. Raises SkillError, which names the file and what is wrong with it."""
    header, tensors = _read(path)
    try:
        return _skill(header, tensors)
    except (*MALFORMED, RuntimeError, zlib.error, SammedError) as error:
        raise SkillError(f"{path} is a skill with an unreadable header; learn it again.") from error


def skill_digest(skill: SkillModel) -> str:
    """Return the digest that names a skill in the provenance of its labels (64 hexadecimal digits)."""
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
        header["choices"] = {str(value): _choice_to_json(each) for value, each in skill.auto.choices.items()}
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
    choices = {int(value): _choice_from_json(each) for value, each in header["choices"].items()}
    prototypes = Prototypes(**_part(tensors, "prototypes"))
    classifier = TrainedClassifier(**_part(tensors, "classifier"))
    return AutoModel(TrainedSapNet(network, prototypes), classifier, choices)


def _choice_to_json(choice: LabelChoice) -> dict[str, Any]:
    return {_CHOICE_KEYS.get(name, name): value for name, value in asdict(choice).items()}


def _choice_from_json(choice: Mapping[str, Any]) -> LabelChoice:
    names = {key: name for name, key in _CHOICE_KEYS.items()}
    values = {names.get(key, key): value for key, value in choice.items() if key != _FORMER_KEY}
    mixture = values.pop("mixture", None)
    return LabelChoice(**values, mixture=Mixture(**mixture) if mixture else Mixture())


def _packed(masks: UInt[np.ndarray, "A H W"]) -> Tensor:
    packed = zlib.compress(np.ascontiguousarray(masks, masks.dtype.newbyteorder("<")).tobytes())
    return torch.frombuffer(bytearray(packed), dtype=torch.uint8)


def _unpacked(packed: Tensor, dtype: str, shape: Sequence[int]) -> UInt[np.ndarray, "A H W"]:
    little = np.dtype(dtype).newbyteorder("<")
    # At most as many bytes as the masks have, so that no file can fill the memory.
    unpacked = zlib.decompressobj().decompress(packed.numpy().tobytes(), math.prod(shape) * little.itemsize)
    return np.frombuffer(unpacked, little).reshape(shape).astype(dtype)


def _of_dataclass(prefix: str, value: Prototypes | TrainedClassifier) -> dict[str, Tensor]:
    return {f"{prefix}/{each.name}": getattr(value, each.name) for each in fields(value)}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    part = tensors_below(tensors, prefix)
    if not part:
        raise SkillError(f"it has no tensors {prefix!r}")
    return part
