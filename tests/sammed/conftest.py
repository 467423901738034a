"""A backbone small enough for every test (Meta's real classes, two layers, 64 pixels), and a case on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import pytest
import torch
from segment_anything.modeling import ImageEncoderViT

from sammed.assist.config import AssistConfig
from sammed.auto.classification import ClassificationConfig
from sammed.auto.cross_validation import CrossValidationConfig
from sammed.auto.sap_training import SapTrainingConfig
from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import PixelPreparation
from sammed.backbones.segment_anything import build_mask_decoder, build_prompt_encoder
from sammed.progress import Silent
from sammed.skills.training import SkillConfig
from sammed_volumes.formats import write_labels
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from tests.conftest import Phantom

TINY_SIZE = 64
TINY_EMBEDDING = 16


def tiny_sam(seed: int = 0) -> Backbone:
    """A random SAM: image 64 x 64, embedding 256 x 16 x 16, masks 64 x 64; the seed decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = ImageEncoderViT(
            img_size=TINY_SIZE,
            patch_size=TINY_SIZE // TINY_EMBEDDING,
            embed_dim=32,
            depth=2,
            num_heads=2,
            out_chans=256,
            use_rel_pos=True,
            window_size=8,
            global_attn_indexes=(1,),
        )
        prompt_encoder = build_prompt_encoder(TINY_SIZE, TINY_EMBEDDING)
        mask_decoder = build_mask_decoder()
    return Backbone(
        name="tiny",
        digest=f"tiny-{seed}",
        image_size=TINY_SIZE,
        device=torch.device("cpu"),
        dtype=torch.float32,
        image_encoder=encoder,
        mask_decoder=mask_decoder,
        prompt_encoder=prompt_encoder,
        preparation=PixelPreparation(),
    )


@pytest.fixture(scope="session")
def tiny_backbone() -> Backbone:
    return tiny_sam()


@pytest.fixture(scope="session")
def few_steps() -> Callable[..., SkillConfig]:
    """`few_steps(assist=AssistConfig(...))`: the default SkillConfig with almost no steps."""

    def make(assist: AssistConfig | None = None) -> SkillConfig:
        return SkillConfig(
            assist=replace(assist or AssistConfig(), steps=3, point_steps=3, batch_size=2),
            sap_net=SapTrainingConfig(steps=5),
            choosing=CrossValidationConfig(folds=2, steps=2, thickest_smoothed_mm=0),
            classification=ClassificationConfig(strengths=(0.01,), iterations=5),
        )

    return make


class Notes(Silent):
    """A reporter that keeps its messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_backbone: Backbone,
    few_steps: Callable[..., SkillConfig],
) -> None:
    """Every backbone name means the tiny one; training takes a few steps; each test has its own folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sammed.backbones.loading.load_backbone", lambda _name, **_settings: tiny_backbone)
    for module in ("sammed.skills.skill", "sammed.jobs.auto_train"):
        monkeypatch.setattr(f"{module}.SkillConfig", few_steps)


@dataclass(frozen=True, slots=True)
class Case:
    """An image with its labels on disk."""

    image: Path
    labels: Path


@pytest.fixture
def save() -> Callable[[Volume, Path], Path]:
    """`save(volume, path)` writes a NIfTI file, and the folder for it."""

    def write(volume: Volume, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(volume.voxels, volume.affine_ras_mm), path)
        return path

    return write


@pytest.fixture
def case(tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]) -> Case:
    """The phantom as `Frau Süß.nii.gz` and `Frau Süß truth.nii.gz`."""
    made = phantom()
    image = save(made.volume, tmp_path / "Frau Süß.nii.gz")
    labels = tmp_path / "Frau Süß truth.nii.gz"
    write_labels(made.labels, labels, like=made.volume)
    return Case(image, labels)


@pytest.fixture(scope="session")
def kept_skill() -> dict[str, bytes]:
    """Training takes seconds; this keeps the bytes of the skill that was learned first."""
    return {}


@pytest.fixture
def skill(tmp_path: Path, case: Case, machine: None, kept_skill: dict[str, bytes]) -> Path:
    """`skill.safetensors` in the working folder, learned from two slices of the phantom."""
    from sammed.jobs.assist_train import AssistTrainRequest, assist_train

    path = tmp_path / "skill.safetensors"
    if not kept_skill:
        assist_train(
            AssistTrainRequest(image=case.image, labels=case.labels, slices=2, output=path), Silent()
        )
        kept_skill["skill"] = path.read_bytes()
    path.write_bytes(kept_skill["skill"])
    return path
