"""Phantoms laid out like the public sets, and benches that run on the tiny backbone with few steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click import Command
from click.testing import CliRunner, Result
from PIL import Image

from sammed.jobs.demo_data import Pair
from sammed.skills.training import SkillConfig
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import Label
from tests.conftest import Phantom, make_phantom
from tests.sammed.conftest import few_steps, machine, tiny_backbone

__all__ = ["few_steps", "machine", "tiny_backbone"]

Run = Callable[..., Result]

FRAMES = ("patient001_frame01", "patient001_frame12", "patient002_frame01", "patient002_frame09")


@pytest.fixture(autouse=True)
def small_machine(
    machine: None,
    monkeypatch: pytest.MonkeyPatch,
    few_steps: Callable[..., SkillConfig],
) -> None:
    """Benches run on the machine of `tests/sammed/conftest.py`."""
    for module in ("bench.skills", "sammed.datasets.pseudo.assist"):
        monkeypatch.setattr(f"{module}.SkillConfig", few_steps)


@pytest.fixture
def chest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A phantom in place of the chest CT, with labels 5 and 6 for its lungs."""
    made = make_phantom(shape=(40, 40, 30))
    voxels = np.select([made.labels.voxels == 1, made.labels.voxels == 2], [5, 6], 0).astype(np.uint8)
    named = (Label(5, "right lung", (90, 160, 250)), Label(6, "left lung", (220, 40, 60)))
    pair = Pair(tmp_path / "chest.nii.gz", tmp_path / "chest.seg.nrrd")
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), pair.image)
    write_labels(replace(made.labels, voxels=voxels, labels=named), pair.labels, like=made.volume)
    for module in ("bench.accuracy.cases", "bench.speed.chest"):
        monkeypatch.setattr(f"{module}.demo_pair", lambda: pair)
    return pair


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with phantoms laid out as `bench/README.md` describes."""
    folder = tmp_path / "data"
    _save(folder / "spleen-ct-msd-crop", (1,))
    _save(folder / "left-atrium-mri" / "ABC", (1,))
    _save(folder / "abdomen-ct-totalseg" / "ct_full_3mm", (1, 2))
    names = {"1": ["spleen", 100], "2": ["liver", 100], "3": ["femur", 0]}
    (folder / "abdomen-ct-totalseg" / "ct_full_3mm" / "label-names.json").write_text(json.dumps(names))
    for frame in FRAMES:
        _save(folder / "heart-acdc" / frame, (1, 2, 3), slices=6)
    for number in range(4):
        _save(folder / "hippocampus-msd" / f"hippocampus_{number:03}", (1, 2), seed=number)
    for name in ("2d-busi-ultrasound", "2d-lung-xray", "2d-polyp-cvc612"):
        for number in range(5):
            _save_picture(folder / name, number)
    return folder


def _save(folder: Path, values: tuple[int, ...], slices: int = 12, seed: int = 0) -> None:
    made: Phantom = make_phantom(shape=(24, 24, slices), seed=seed)
    found = made.labels.voxels
    voxels = np.select([found == old for old in (1, 2, 4)[: len(values)]], values, 0).astype(np.uint8)
    folder.mkdir(parents=True)
    for name, content in (("image", made.volume.voxels), ("label", voxels)):
        nibabel.save(nibabel.Nifti1Image(content, made.volume.affine_ras_mm), folder / f"{name}.nii.gz")


def _save_picture(folder: Path, number: int) -> None:
    y, x = np.mgrid[:32, :40]
    mask = (x - 12 - 3 * number) ** 2 + (y - 16) ** 2 <= 64
    for name, pixels in (("images", 60 + 120 * mask), ("masks", 255 * mask)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")


@pytest.fixture
def run() -> Run:
    """`run(main, "--seeds", 1)` runs a bench and returns its output and exit code."""

    def run_bench(main: Command, *arguments: object) -> Result:
        words = [str(each) for each in arguments]
        return CliRunner().invoke(main, words, catch_exceptions=False, standalone_mode=False)

    return run_bench
