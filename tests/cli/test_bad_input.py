"""Bad files at the command line: one sentence that names the file, exit status 1, nothing half-written."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Sammed


def write(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)


def empty(path: Path) -> None:
    path.touch()


def cut_short(path: Path) -> None:
    write(path, np.arange(7 * 11 * 13, dtype=np.int16).reshape(7, 11, 13))
    path.write_bytes(path.read_bytes()[:-200])


def no_image(path: Path) -> None:
    path.write_bytes(b"Dear colleague, this is a letter.\n" * 30)


def four_dimensions(path: Path) -> None:
    write(path, np.zeros((3, 5, 7, 2), np.int16))


def complex_numbers(path: Path) -> None:
    write(path, np.zeros((3, 5, 7), np.complex64))


def singular_affine(path: Path) -> None:
    header = nibabel.Nifti1Image(np.zeros((3, 5, 7), np.int16), np.eye(4))
    header.set_sform(np.diag([1.0, 0, 1, 1]), code=1)
    nibabel.save(header, path)


BAD_VOLUMES = [empty, cut_short, no_image, four_dimensions, complex_numbers, singular_affine]


@pytest.mark.parametrize("make", BAD_VOLUMES, ids=lambda make: make.__name__)
def test_info_of_a_bad_volume(sammed: Sammed, tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "Grün 1.nii.gz"
    make(path)
    run = sammed("info", path)
    assert run.exit_code == 1
    assert run.sentence.startswith(f"{path} can't be read as a volume: ")
    assert sammed("info", path, "--json").json == {"error": run.sentence}


def fractions(path: Path) -> None:
    write(path, np.full((41, 37, 13), 0.5, np.float32))


def negative(path: Path) -> None:
    write(path, np.full((41, 37, 13), -1, np.int16))


@pytest.mark.parametrize(
    "make", [empty, cut_short, no_image, fractions, negative], ids=lambda make: make.__name__
)
def test_evaluate_with_bad_labels(
    sammed: Sammed, case: Case, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "Grün 1.nii.gz"
    make(path)
    run = sammed("evaluate", path, case.labels)
    assert run.exit_code == 1
    assert run.sentence.startswith(f"{path} can't be read as labels: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    run = sammed("export", "monai", case.image, case.labels, "--output", locked / "set", "--name", "Chest")
    assert run.exit_code == 1
    assert "Permission denied" in run.sentence


def test_an_output_below_a_file(sammed: Sammed, case: Case) -> None:
    output = case.image / "set"
    run = sammed("export", "monai", case.image, case.labels, "--output", output, "--name", "Chest")
    assert run.exit_code == 1
    assert f"{case.image} can't be created" in run.sentence


def test_a_disk_that_fills_up(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk; the system's answer is another number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    output = tmp_path / "set"
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        run = sammed("export", "monai", case.image, case.labels, "--output", output, "--name", "Chest")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert run.exit_code == 1
    assert str(output) in run.sentence
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent not in case_folders(case)]
    assert left == []


def case_folders(case: Case) -> set[Path]:
    return {case.image.parent, case.labels.parent}
