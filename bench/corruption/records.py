"""Samples of the files besides volumes: prompts, manifest, sets, provenance, skill, student."""

import json
from pathlib import Path

import monai.networks.nets  # noqa: F401  # here, since each trial would import it for ten seconds
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from sammed.annotations.annotations import Annotations
from sammed.batch.manifest import Entry, Manifest, Recipe
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.monai_reader import gather_monai
from sammed.datasets.labeled_sets.nnunet_reader import gather_nnunet
from sammed.datasets.labeled_sets.set_file import read_set, write_set
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.student import new_student
from sammed.datasets.students.student_file import load_student, save_student, student_header
from sammed.prompts.file import read_prompts
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import read_skill, write_skill
from sammed.storage.fingerprint import Fingerprint
from sammed.storage.provenance import Provenance, provenance_beside, read_provenance
from sammed.storage.tensor_file import tensor_digest
from sammed_volumes.intensity import Window
from sammed_volumes.labels import default_label
from sammed_volumes.slices import plan_slices

_OUTPUT = "a.nii.gz"
_PROMPTS = [
    {"label": "liver", "slice": 4, "points": [[3, 5, "+"], [8, 3, "-"]]},
    {"label": "liver", "boxes": [[2, 6, 3, 8, 11, 3], [9, 6, 3, 12, 9, 3]]},
    {"label": "spleen", "points": [[6, 7, 2, "+"]], "boxes": [[5, 5, 2, 9, 9, 2]]},
]


def write_prompts(path: Path) -> None:
    """Write a file of prompts."""
    path.write_text(json.dumps({"frame": "voxel", "prompts": _PROMPTS}, indent=1), encoding="utf-8")


def read_as_prompts(path: Path) -> str:
    """Read prompts on a small grid."""
    affine_ras_mm = np.diag([2.0, 2.0, 5.0, 1.0])
    return repr(read_prompts(path, plan_slices((16, 14, 9), affine_ras_mm), affine_ras_mm))


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


def read_as_manifest(path: Path) -> str:
    """Read the last lines of a manifest."""
    manifest = Manifest(path, path.with_suffix(".lock"))
    last = [manifest.last(output) for output in (_OUTPUT, "berta.nii.gz")]
    return f"{last} {manifest.starts(_OUTPUT, '')}"


def write_labeled_set(path: Path) -> None:
    """Write the file of a set with two cases."""
    anna = Case(name="anna", image=Path("anna.nii.gz"), labels=Path("labels/anna.nii.gz"), origin="gold")
    berta = Case(name="berta", image=Path("berta.nii.gz"), score=0.9, label_scores={1: 0.9})
    labels = (default_label(1), default_label(2))
    write_set(LabeledSet(path.parent, labels, (anna, berta), window=Window(-160.0, 240.0, "hu")))


def read_as_set(path: Path) -> str:
    """Read a labeled set."""
    read = read_set(path)
    return repr((read.labels, read.window, [case.name for case in read.cases]))


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


def read_as_skill(path: Path) -> str:
    """Read a skill."""
    return repr(read_skill(path))


def write_small_student(path: Path) -> None:
    """Write an untrained student with the smallest network."""
    config = StudentConfig(network="unet", size_px=16, features=(2, 2, 2, 2, 2, 2))
    save_student(new_student(config, (default_label(1),), Window(-160.0, 240.0, "hu")), path)


def read_as_student(path: Path) -> str:
    """Read a student."""
    return repr(student_header(load_student(path)))


def write_monai_list(path: Path) -> None:
    """Write MONAI's list of a data set with two cases."""
    cases = [{"image": "anna.nii.gz", "label": "labels/anna.nii.gz", "fold": 0}, {"image": "berta.nii.gz"}]
    content = {"labels": {"0": "background", "1": "liver"}, "training": cases, "test": ["carla.nii.gz"]}
    path.write_text(json.dumps(content), encoding="utf-8")


def read_as_monai(path: Path) -> str:
    """Read MONAI's list."""
    return repr(gather_monai(path, fold=0))


def write_nnunet_set(path: Path) -> None:
    """Write a data set of nnU-Net with one case; `path` is its dataset.json."""
    for folder in ("imagesTr", "labelsTr"):
        (path.parent / folder).mkdir()
    (path.parent / "imagesTr" / "anna_0000.nii.gz").write_bytes(b"not opened")
    (path.parent / "labelsTr" / "anna.nii.gz").write_bytes(b"not opened")
    content = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "ignore": 2},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def read_as_nnunet(path: Path) -> str:
    """Read the data set of a dataset.json."""
    return repr(gather_nnunet(path.parent))


def write_provenance_of_labels(path: Path) -> None:
    """Write how the labels next to `path` were made."""
    made = Provenance(image_file="anna.nii.gz", image_sha256="f" * 64, origin="gold")
    with provenance_beside(path.with_name(_OUTPUT), made):
        pass


def read_as_provenance(path: Path) -> str:
    """Read how labels were made."""
    return repr(read_provenance(path.with_name(_OUTPUT)))


def header_of(path: Path, key: str) -> bytes:
    """Return the JSON header of a file with tensors."""
    with safe_open(path, framework="pt") as opened:
        return str(opened.metadata()[key]).encode()


def with_header(path: Path, header: bytes, key: str) -> bytes:
    """Return a file with tensors with another header, and the digest that goes with it."""
    tensors = load(path.read_bytes())
    text = header.decode("utf-8", errors="replace")
    return save(tensors, {key: text, "sha256": tensor_digest(text, tensors)})
