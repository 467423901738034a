"""Bad input to the commands that learn and label: one sentence, exit status 1, nothing half-written.

What can be found wrong without a backbone is found before one is loaded; the few tests that need one use the
default's own weights.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
import torch

import sammed_cli
from sammed.annotations.annotations import Annotations
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import write_skill
from sammed_volumes.formats import write_labels
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Sammed
    from tests.conftest import Phantom


ROOT = Path(sammed_cli.__file__).parents[2]


def nifti(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)


def ramp(*shape: int, dtype: type[np.generic] = np.int16) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def empty(path: Path) -> None:
    path.touch()


def cut_short(path: Path) -> None:
    nifti(path, ramp(7, 11, 13))
    path.write_bytes(path.read_bytes()[:-200])


def no_image(path: Path) -> None:
    path.write_bytes(b"Dear colleague, this is a letter.\n" * 30)


def four_dimensions(path: Path) -> None:
    nifti(path, ramp(3, 5, 7, 2))


def complex_numbers(path: Path) -> None:
    nifti(path, ramp(3, 5, 7, dtype=np.complex64))


def rgb(path: Path) -> None:
    color = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    nifti(path, np.zeros((3, 5, 7), color))


def singular_affine(path: Path) -> None:
    image = nibabel.Nifti1Image(ramp(3, 5, 7), np.eye(4))
    image.set_sform(np.diag([1.0, 0, 1, 1]), code=1)
    nibabel.save(image, path)


def constant(path: Path) -> None:
    nifti(path, np.full((41, 37, 13), 5, np.int16))


BAD_IMAGES = [empty, cut_short, no_image, four_dimensions, complex_numbers, rgb, singular_affine, constant]


def files(folder: Path) -> dict[Path, int]:
    """What lies there but in the cache, which is the program's own."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in found if "cache" not in path.relative_to(folder).parts}


@pytest.fixture
def refused(sammed: Sammed, tmp_path: Path) -> Callable[..., str]:
    """`refused(command...)` runs what must fail with status 1, leave every file alone, and say why."""

    def run(*arguments: object) -> str:
        before = files(tmp_path)
        done = sammed(*arguments)
        assert done.exit_code == 1, done.stderr
        assert done.stdout == ""
        assert files(tmp_path) == before, "something was written"
        return done.sentence

    return run


@pytest.mark.parametrize("make", BAD_IMAGES, ids=lambda make: make.__name__)
def test_images_that_can_not_be_learned_from(
    refused: Callable[..., str], case: Case, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    image = tmp_path / "Grün 1.nii.gz"
    make(image)
    assert str(image) in refused("assist-train", image, case.labels)
    assert str(image) in refused("assist-label", image, "--point", "liver:1,1,1,+")
    assert str(image) in refused("assist-evaluate", image, case.labels)


def fractions(path: Path, made: Phantom) -> None:
    nifti(path, np.full(made.volume.shape, 0.5, np.float32), made.volume.affine_ras_mm)


def negative(path: Path, made: Phantom) -> None:
    nifti(path, np.full(made.volume.shape, -1, np.int16), made.volume.affine_ras_mm)


def without_labels(path: Path, made: Phantom) -> None:
    nifti(path, np.zeros(made.volume.shape, np.uint8), made.volume.affine_ras_mm)


def on_another_grid(path: Path, made: Phantom) -> None:
    nifti(path, np.ones((3, 5, 7), np.uint8), made.volume.affine_ras_mm @ np.diag([1, 1, 1.2, 1]))


def shifted(path: Path, made: Phantom) -> None:
    affine = made.volume.affine_ras_mm.copy()
    affine[0, 3] += 1.5
    nifti(path, made.labels.voxels, affine)


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (fractions, "fractional values such as 0.5"),
        (negative, "negative values such as -1"),
        (without_labels, "no voxel has a label"),
        (on_another_grid, "the spacing differs (2 x 2 x 6 against 2 x 2 x 5 mm)"),
        (shifted, "the voxel centers are up to 0.5 mm apart"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_labels_that_can_not_be_learned_from(
    refused: Callable[..., str],
    case: Case,
    tmp_path: Path,
    phantom: Callable[..., Phantom],
    make: Callable[[Path, Phantom], object],
    fact: str,
) -> None:
    labels = tmp_path / "Größe 2.nii.gz"
    make(labels, phantom())
    for command in ("assist-train", "assist-evaluate"):
        sentence = refused(command, case.image, labels)
        assert str(labels) in sentence
        assert fact in sentence


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (("--slices", "14"), "14 slices were asked for, but only"),
        (("--label", "spleen"), "has no label 'spleen'; choose one of its labels: lung (1), heart (2)"),
        (("--slice-index", "0"), "None of the slices named shows a label"),
        (("--slice-index", "13"), "Slice 13 is outside the volume: axis 2 has slices 0 to 12"),
        (("--empty-slices", "6"), "slice 6 was said to be empty but shows a label"),
    ],
)
def test_slices_and_labels_that_are_not_there(
    refused: Callable[..., str], case: Case, options: tuple[str, ...], fact: str
) -> None:
    sentence = refused("assist-train", case.image, case.labels, *options)
    assert fact in sentence
    assert str(case.labels) in sentence


def test_a_label_asked_for_that_has_no_voxel(
    refused: Callable[..., str], case: Case, phantom: Callable[..., Phantom]
) -> None:
    made = phantom()
    voxels = np.where(made.labels.voxels == 4, 2, made.labels.voxels)
    write_labels(replace(made.labels, voxels=voxels), case.labels, like=made.volume, overwrite=True)
    sentence = refused("assist-train", case.image, case.labels, "--label", "tumour")
    assert str(case.labels) in sentence
    assert "'tumour' (4) is empty" in sentence


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (("--point", "liver:5,5,99,+"), "is outside the volume, whose indices run to (40, 36, 12)"),
        (("--point", "5,5,5,+"), "has no label"),
        (("--box", "liver:20,20,5,10,10,5"), "is inside out"),
        (("--box", "liver:1,1,5,9,9,6"), "a box lies in one slice"),
        (("--point", "liver:5,5,5"), "a point is i,j,k,+ or i,j,k,-"),
    ],
)
def test_prompts_that_mean_nothing(
    refused: Callable[..., str], case: Case, options: tuple[str, ...], fact: str
) -> None:
    assert fact in refused("assist-label", case.image, *options)


def test_prompts_of_a_file_that_mean_nothing(refused: Callable[..., str], case: Case, tmp_path: Path) -> None:
    path = tmp_path / "Wünsche 1.json"
    path.write_text(json.dumps({"prompts": [{"label": "liver"}]}), encoding="utf-8")
    sentence = refused("assist-label", case.image, "--prompts", path)
    assert str(path) in sentence
    assert "has neither points nor boxes" in sentence


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    """A skill without a generator for other weights than the default's."""
    label = Label(1, "lung", (9, 9, 9))
    made = SkillModel(
        backbone="lite-medsam",
        backbone_digest="0" * 64,
        plane="axial",
        axis=2,
        window=Window(-900.0, 300.0, "hu"),
        labels=(label,),
        encoders={1: {"weight": torch.zeros(2)}},
        annotations=Annotations((4,), np.ones((1, 37, 41), np.uint8), (label,)),
        volume_sha256="0" * 64,
        prompts="composite",
        seed=0,
    )
    return write_skill(made, tmp_path / "Fähigkeit 1.safetensors")


def test_a_skill_for_other_weights(refused: Callable[..., str], case: Case, skill: Path) -> None:
    options = ("--skill", skill, "--runtime", "torch", "--device", "cpu")
    sentence = refused("assist-label", case.image, "--point", "5,5,5,+", *options)
    assert str(skill) in sentence
    assert "digests differ" in sentence


def test_a_skill_without_a_generator(refused: Callable[..., str], case: Case, skill: Path) -> None:
    sentence = refused("auto-label", case.image, "--skill", skill)
    assert str(skill) in sentence
    assert "sammed auto-train" in sentence


def test_a_skill_that_was_cut_short(refused: Callable[..., str], case: Case, skill: Path) -> None:
    skill.write_bytes(skill.read_bytes()[:-1])
    for command in (
        ("auto-label", case.image),
        ("auto-train", case.image, case.labels, "--overwrite"),
        ("info",),
    ):
        target = (skill,) if command == ("info",) else ("--skill", skill)
        sentence = refused(*command, *target)
        assert str(skill) in sentence
        assert "cut short" in sentence


def test_nothing_is_overwritten(refused: Callable[..., str], case: Case, tmp_path: Path) -> None:
    there = tmp_path / "skill.safetensors"
    there.write_bytes(b"mine")
    assert f"{there.name} already exists" in refused("assist-train", case.image, case.labels)
    labels = case.image.with_name("Frau Süß_label.nii.gz")
    labels.write_bytes(b"mine")
    assert f"{labels} already exists" in refused("assist-label", case.image, "--point", "liver:5,5,5,+")


def test_outputs_below_a_file_or_in_no_folder(
    refused: Callable[..., str], case: Case, tmp_path: Path
) -> None:
    for output in (case.image / "a.safetensors", tmp_path / "nowhere/a.safetensors"):
        sentence = refused("assist-train", case.image, case.labels, "--output", output)
        assert str(output) in sentence
        assert "create it first" in sentence
    for output in (case.image / "a.nii.gz", tmp_path / "nowhere/a.nii.gz"):
        assert str(output) in refused("assist-label", case.image, "--point", "l:5,5,5,+", "--output", output)
    assert "can't be created" in refused("demo", "--output", case.image / "demo")


def test_a_disk_that_fills_up(refused: Callable[..., str], case: Case) -> None:
    """A limit on the size of files stands in for the disk. The default backbone encodes one slice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))
    try:
        options = ("--runtime", "torch", "--device", "cpu", "--window", "lung")
        sentence = refused("assist-label", case.image, "--point", "lung:28,17,6,+", *options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Frau Süß_label" in sentence
    assert "free some space or choose another place" in sentence


def test_the_program_itself_says_one_sentence(case: Case, tmp_path: Path) -> None:
    """As users run it: another process, nothing replaced.

    Its math libraries start no threads, since on a busy machine they print to stderr if they can't.
    """
    cut_short(case.image)
    done = subprocess.run(
        [sys.executable, "-m", "sammed_cli", "assist-train", case.image, case.labels],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}:{ROOT / 'volumes'}",
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(tmp_path),
            "SAMMED_CACHE": str(tmp_path / "cache"),
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        },
    )
    sentence = f"Error: {case.image} can't be read as a volume: "
    lines = done.stderr.splitlines()
    found = (done.returncode, done.stdout, [line[: len(sentence)] for line in lines])
    assert found == (1, "", [sentence]), f"status {done.returncode}, stderr:\n{done.stderr}"
    assert not (tmp_path / "skill.safetensors").exists()
