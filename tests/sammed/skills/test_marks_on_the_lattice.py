"""Marks in another storage teach the same skill, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import open_scan
from sammed.errors import ConfigError
from sammed.jobs.assist_evaluate import AssistEvaluateRequest, assist_evaluate
from sammed.jobs.assist_train import AssistTrainRequest, assist_train
from sammed.jobs.auto_train import AutoTrainRequest, auto_train
from sammed.progress import Silent
from sammed.skills.skill import Skill, learn, load
from sammed_volumes.errors import GeometryMismatchError
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.lattice import reorientation
from sammed_volumes.volume import Volume


def stored_otherwise(labels: LabelVolume) -> LabelVolume:
    """The labels from behind, on a larger canvas."""
    found, grid = reorientation(labels.grid, "IAR")
    affine = grid.affine_ras_mm.copy()
    affine[:3, 3] -= affine[:3, :3] @ [2, 1, 3]
    return replace(
        labels, voxels=np.pad(found.place(labels.voxels), [(2, 1), (1, 0), (3, 2)]), affine_ras_mm=affine
    )


def moved(labels: LabelVolume) -> LabelVolume:
    affine = labels.affine_ras_mm.copy()
    affine[:3, 3] += 0.5 * affine[:3, 0]
    return replace(labels, affine_ras_mm=affine)


def test_learn(phantom: Callable[..., Any], tiny_backbone: Backbone, few_steps: Callable[..., Any]) -> None:
    made = phantom()
    scan = open_scan(made.volume, tiny_backbone)

    def learned(marks: LabelVolume, **settings: Any) -> Skill:
        return learn(scan, marks, slice_index=(5, 7), auto=False, config=few_steps(), **settings)

    expected = learned(made.labels)
    assert not expected.model.resampled_marks
    assert learned(stored_otherwise(made.labels)).digest == expected.digest
    with pytest.raises(GeometryMismatchError, match="voxel centers are up to 1 mm"):
        learned(moved(made.labels))
    resampled = learned(moved(made.labels), resample=True)
    assert resampled.model.resampled_marks
    assert resampled.digest != expected.digest


@pytest.fixture
def files(
    tmp_path: Path,
    phantom: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tiny_backbone: Backbone,
    few_steps: Callable[..., Any],
) -> Path:
    """`image.nii.gz`, `labels.nii.gz`, the same as `turned.seg.nrrd`, half a voxel off as `moved.nrrd`."""
    monkeypatch.setattr("sammed.backbones.loading.load_backbone", lambda *_args, **_settings: tiny_backbone)
    monkeypatch.setattr("sammed.skills.skill.SkillConfig", few_steps)
    monkeypatch.setattr("sammed.jobs.auto_train.SkillConfig", few_steps)
    made = phantom()
    image = LabelVolume(np.abs(made.volume.voxels).astype(np.uint16), made.volume.affine_ras_mm, ())
    write_labels(image, tmp_path / "image.nii.gz", like=made.volume)
    for name, labels in (
        ("labels.nii.gz", made.labels),
        ("turned.seg.nrrd", stored_otherwise(made.labels)),
        ("moved.nrrd", moved(made.labels)),
    ):
        write_labels(labels, tmp_path / name, like=Volume(labels.voxels, labels.affine_ras_mm))
    return tmp_path


def test_jobs(files: Path) -> None:
    image, skills, rows = files / "image.nii.gz", [], []
    for name in ("labels.nii.gz", "turned.seg.nrrd"):
        skill, again = files / f"{name}.safetensors", files / f"{name}.again.safetensors"
        common: dict[str, Any] = {"image": image, "labels": files / name}
        assist_train(AssistTrainRequest(**common, slices=2, output=skill), Silent())
        auto_train(AutoTrainRequest(**common, skill=skill, slice_index=(4, 6), output=again), Silent())
        request = AssistEvaluateRequest(
            **common, skill=skill, label=("lung",), points=(1,), boxes=False, composite=False
        )
        rows.append(assist_evaluate(request, Silent()))
        skills.append((load(skill).digest, load(again).digest))
    assert skills[0] == skills[1]
    assert rows[0] == rows[1]


def test_jobs_that_resample(files: Path, notes: Any) -> None:
    common: dict[str, Any] = {"image": files / "image.nii.gz", "labels": files / "moved.nrrd"}
    skill = files / "skill.safetensors"
    settings: dict[str, Any] = {**common, "slices": 2, "auto": False, "output": skill}
    with pytest.raises(GeometryMismatchError, match="--resample"):
        assist_train(AssistTrainRequest(**settings), notes)
    assist_train(AssistTrainRequest(**settings, resample=True), notes)
    assert sum("resampled onto the grid of" in text for text in notes.messages) == 1
    assert load(skill).model.resampled_marks, "the file says so"
    with pytest.raises(ConfigError):
        AutoTrainRequest(**common, resample=True)  # no output, and no leave to overwrite
