"""Which kind a file is, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from sammed.annotations.annotations import Annotations
from sammed.jobs.info import InfoRequest, InfoResult, info
from sammed.progress import Silent
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import write_skill
from sammed_volumes.formats import write_labels
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

if TYPE_CHECKING:
    from tests.conftest import Phantom


def inspect(path: Path) -> InfoResult:
    return info(InfoRequest(file=path), Silent())


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def test_a_volume(tmp_path: Path, phantom: Callable[..., Phantom]) -> None:
    volume = phantom().volume
    found = inspect(save(tmp_path / "ct.nii.gz", volume.voxels, volume.affine_ras_mm))
    facts = dict(found.facts)
    assert (found.kind, found.labels) == ("volume", None)
    assert facts["shape"] == (41, 37, 13)
    assert facts["spacing mm"] == (2.0, 2.0, 5.0)
    assert (facts["orientation"], facts["axis"], facts["plane"], facts["slices"]) == ("LPS", 2, "axial", 13)
    assert (facts["lowest value"], facts["highest value"]) == (volume.voxels.min(), volume.voxels.max())
    assert facts["intensities"] == "CT in Hounsfield units"
    assert facts["stored as"] == "int16"


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".nrrd", ".mha"])
def test_label_volumes_of_every_format(tmp_path: Path, phantom: Callable[..., Phantom], suffix: str) -> None:
    made = phantom()
    path = tmp_path / f"organs{suffix}"
    write_labels(made.labels, path, like=made.volume)
    found = inspect(path)
    assert found.kind == "labels"
    assert found.labels is not None
    names = [row[1] for row in found.labels.rows]
    assert names == ["lung", "heart", "tumour"]
    for value, _, voxels, millilitres, slices, first, last in found.labels.rows:
        mask = made.labels.voxels == value
        at = np.flatnonzero(mask.any(axis=(0, 1)))
        assert voxels == mask.sum()
        assert millilitres == pytest.approx(mask.sum() * 2 * 2 * 5 / 1000)
        assert (slices, first, last) == (len(at), at[0], at[-1])


def test_a_label_that_is_declared_and_not_there(tmp_path: Path, phantom: Callable[..., Phantom]) -> None:
    made = phantom()
    made.labels.voxels[made.labels.voxels == 4] = 0
    path = tmp_path / "organs.seg.nrrd"
    write_labels(made.labels, path, like=made.volume)
    found = inspect(path)
    assert found.labels is not None
    assert found.labels.rows[2] == (4, "tumour", 0, 0.0, 0, None, None)


@pytest.mark.parametrize(
    ("voxels", "kind"),
    [
        pytest.param(np.arange(5 * 7 * 11).reshape(5, 7, 11) % 3, "labels", id="few whole numbers"),
        pytest.param(np.arange(5 * 7 * 11).reshape(5, 7, 11), "volume", id="many whole numbers"),
        pytest.param(np.arange(5 * 7 * 11).reshape(5, 7, 11) % 60, "volume", id="gray values"),
        pytest.param(np.kron(np.arange(180).reshape(5, 6, 6), np.ones((4, 4, 4))), "labels", id="180 cubes"),
        pytest.param(np.zeros((5, 7, 11)), "volume", id="nothing but zeros"),
        pytest.param(np.full((5, 7, 11), -1), "volume", id="negative"),
        pytest.param(np.full((5, 7, 11), 0.5), "volume", id="fractions"),
    ],
)
def test_what_counts_as_labels(tmp_path: Path, voxels: np.ndarray, kind: str) -> None:
    path = save(tmp_path / "a.nii", voxels.astype(np.float32), np.eye(4))
    assert inspect(path).kind == kind


def test_a_color_picture_is_a_volume(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "a.png")
    found = inspect(tmp_path / "a.png")
    assert (found.kind, dict(found.facts)["intensities"]) == ("volume", "picture")


def test_a_skill(tmp_path: Path) -> None:
    label = Label(2, "heart", (255, 0, 0))
    skill = SkillModel(
        backbone="lite-medsam",
        backbone_digest="0123456789abcdef" * 4,
        plane="axial",
        axis=2,
        window=Window(-160, 240, "hu"),
        labels=(label,),
        encoders={2: {"point_embeddings.0.weight": torch.zeros(1, 256)}},
        annotations=Annotations((3,), np.full((1, 5, 7), 2, np.uint8), (label,)),
        volume_sha256="0" * 64,
        prompts="composite",
        seed=7,
    )
    found = inspect(write_skill(skill, tmp_path / "heart.safetensors"))
    facts = dict(found.facts)
    assert found.kind == "skill"
    assert (facts["backbone"], facts["generator"], facts["numbers learned"]) == ("lite-medsam", "none", 256)
    assert (facts["annotated slices"], facts["seed"], facts["window"]) == (
        "1 with a label",
        7,
        "-160 to 240 hu",
    )
    assert found.labels is not None
    assert found.labels.rows == ((2, "heart", *[None] * 5),)
    (row,) = cast(list[dict[str, object]], found.to_json()["labels"])
    assert row.pop("value") == 2
    assert row.pop("label") == "heart"
    keys = {"prompts", "mask", "expected_dice", "learned/flow/walker", "expected_dice_here"}
    assert row == dict.fromkeys(keys)


def test_a_skill_shows_how_its_labels_are_made(skill: Path) -> None:
    found = inspect(skill)
    assert found.labels is not None
    for row in found.labels.rows:
        weights = [float(each) for each in str(row[-2]).split("/")]
        assert len(weights) == 3
        assert sum(weights) == pytest.approx(1, abs=0.011)


def test_info_takes_for_labels_what_the_commands_read_as_labels(tmp_path: Path) -> None:
    """Floats that are nearly whole, and masks stored in a palette or as equal channels of RGB."""
    values = np.zeros((9, 7, 5), np.float32)
    values[2:6, 2:5, 1:4] = 1.0000001
    values[6:8, 2:5, 1:4] = 2.0
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1, 1, 3, 1])), tmp_path / "near.nii.gz")
    found = inspect(tmp_path / "near.nii.gz")
    assert (found.kind, dict(found.facts)["stored as"]) == ("labels", "float32")
    mask = np.zeros((9, 7), np.uint8)
    mask[2:5, 2:5], mask[6:8, 2:5] = 1, 2
    indexed = Image.fromarray(mask, "P")
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    indexed.save(tmp_path / "palette.png")
    Image.fromarray(np.dstack([mask * 100] * 3)).save(tmp_path / "gray.png")
    for name in ("palette.png", "gray.png"):
        assert inspect(tmp_path / name).kind == "labels", name
    photo = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    assert inspect(tmp_path / "photo.png").kind == "volume"
