"""Samples of the files that sammed writes and reads besides volumes: prompts, manifest, set, skill."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from sammed.annotations.annotations import Annotations
from sammed.batch.manifest import Entry, Manifest, Recipe
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import read_set, write_set
from sammed.prompts.file import read_prompts
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import read_skill, write_skill
from sammed.storage.fingerprint import Fingerprint
from sammed.storage.tensor_file import tensor_digest
from sammed_volumes.intensity import Window
from sammed_volumes.labels import default_label
from sammed_volumes.slices import plan_slices

_OUTPUT = "anna.nii.gz"
_PROMPTS = [
    {"label": "liver", "slice": 4, "points": [[3, 5, "+"], [8, 3, "-"]]},
    {"label": "liver", "boxes": [[2, 6, 3, 8, 11, 3], [9, 6, 3, 12, 9, 3]]},
    {"label": "spleen", "points": [[6, 7, 2, "+"]], "boxes": [[5, 5, 2, 9, 9, 2]]},
]


def write_prompts(path: Path) -> None:
    """Write a file of prompts."""
    path.write_text(json.dumps({"frame": "voxel", "prompts": _PROMPTS}, indent=1), encoding="utf-8")


def read_as_prompts(path: Path) -> None:
    """Read prompts on a small grid."""
    affine_ras_mm = np.diag([2.0, 2.0, 5.0, 1.0])
    read_prompts(path, plan_slices((16, 14, 9), affine_ras_mm), affine_ras_mm)


def write_manifest(path: Path) -> None:
    """Write the manifest of two volumes."""
    manifest = Manifest(path, path.with_suffix(".lock"))
    for output in (_OUTPUT, "berta.nii.gz"):
        recipe = Recipe("a" * 64, {"threshold": "0.5"})
        manifest.add(
            Entry(
                output=output,
                image=output,
                status="done",
                recipe=recipe,
                image_fingerprint=Fingerprint("b" * 64, "1234:5678"),
                labels_sha256=("c" * 64,),
                seconds=1.5,
                slices=9,
                labels=("liver",),
            )
        )


def read_as_manifest(path: Path) -> None:
    """Read the last lines of a manifest."""
    manifest = Manifest(path, path.with_suffix(".lock"))
    for output in (_OUTPUT, "berta.nii.gz"):
        manifest.last(output)
    manifest.starts(_OUTPUT, "")


def write_labeled_set(path: Path) -> None:
    """Write the file of a set with two cases."""
    anna = Case(name="anna", image=Path("anna.nii.gz"), labels=Path("labels/anna.nii.gz"), origin="gold")
    berta = Case(name="berta", image=Path("berta.nii.gz"), score=0.9, label_scores={1: 0.9})
    labels = (default_label(1), default_label(2))
    write_set(LabeledSet(path.parent, labels, (anna, berta), window=Window(-160.0, 240.0, "hu")))


def read_as_set(path: Path) -> None:
    """Read a labeled set."""
    read_set(path)


def write_small_skill(path: Path) -> None:
    """Write a skill with one tensor in its prompt encoder."""
    masks: np.ndarray = np.zeros((2, 9, 11), np.uint8)
    masks[:, 2:6, 3:7] = 1
    model = SkillModel(
        backbone="tiny",
        backbone_digest="tiny-0",
        plane="coronal",
        axis=1,
        window=Window(0.0, 99.5, "percentile"),
        labels=(default_label(1),),
        encoders={1: {"weight": torch.arange(6.0).reshape(2, 3)}},
        annotations=Annotations((3, 4), masks, (default_label(1),)),
        volume_sha256="f" * 64,
        prompts="boxes",
        seed=7,
    )
    write_skill(model, path)


def read_as_skill(path: Path) -> None:
    """Read a skill."""
    read_skill(path)


def skill_header(path: Path) -> bytes:
    """Return the JSON header of a skill."""
    with safe_open(path, framework="pt") as opened:
        return str(opened.metadata()["sammed_skill"]).encode()


def with_skill_header(path: Path, header: bytes) -> bytes:
    """Return a skill with another header, and the digest that goes with it."""
    tensors = load(path.read_bytes())
    text = header.decode("utf-8", errors="replace")
    return save(tensors, {"sammed_skill": text, "sha256": tensor_digest(text, tensors)})
