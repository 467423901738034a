"""Jobs on the phantom: the tiny backbone in place of a real one, and a few steps in place of many."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import pytest
from sammed.jobs.requests import TrainingRequest
from sammed.jobs.training import train
from torch import Tensor

from sammed.backbones.backbone import Backbone, ImageEncoder
from sammed.progress import Silent
from sammed_volumes.formats import write_labels
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True)
class Case:
    """An image with its labels on disk."""

    image: Path
    labels: Path


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch, tiny_backbone, few_steps) -> None:
    """Every name of a backbone means the tiny one; learning takes a few steps; all folders are the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sammed.jobs.machine.load_backbone", lambda _name, **_settings: tiny_backbone)
    monkeypatch.setattr("sammed.jobs.training.SkillConfig", few_steps)


@pytest.fixture
def save() -> Callable[[Volume, Path], Path]:
    """`save(volume, path)` writes a NIfTI file, and the folder for it."""

    def write(volume: Volume, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(volume.voxels, volume.affine_ras_mm), path)
        return path

    return write


@pytest.fixture
def case(tmp_path, phantom, save) -> Case:
    """The phantom as `Frau Süß.nii.gz` and `Frau Süß truth.nii.gz`."""
    made = phantom()
    image = save(made.volume, tmp_path / "Frau Süß.nii.gz")
    labels = tmp_path / "Frau Süß truth.nii.gz"
    write_labels(made.labels, labels, like=made.volume)
    return Case(image, labels)


@pytest.fixture(scope="session")
def kept_skill() -> dict[str, bytes]:
    """Learning takes seconds; the bytes of what was learned once."""
    return {}


@pytest.fixture
def skill(tmp_path, case, kept_skill) -> Path:
    """`skill.safetensors` in the working folder, learned from two slices of the phantom."""
    path = tmp_path / "skill.safetensors"
    if not kept_skill:
        train(TrainingRequest(image=case.image, labels=case.labels, slices=2, output=path), Silent())
        kept_skill["skill"] = path.read_bytes()
    path.write_bytes(kept_skill["skill"])
    return path


class Counting:
    """An encoder that counts its slices."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self.encoder = encoder
        self.count = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.count += len(pixels)
        return self.encoder(pixels)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch, tiny_backbone: Backbone) -> Counting:
    encoder = Counting(tiny_backbone.image_encoder)
    backbone = replace(tiny_backbone, image_encoder=encoder)
    monkeypatch.setattr("sammed.jobs.machine.load_backbone", lambda _name, **_settings: backbone)
    return encoder
