"""`sammed check`: in words and by exit status, whether labels lie on an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

Run = Callable[..., Any]


@pytest.fixture
def other(case: Any, tmp_path: Path) -> Callable[..., Path]:
    """`other(codes, crop=, scale=, shift=)`: the case's labels, stored otherwise."""

    def make(codes: str = "LPS", crop: int = 0, scale: float = 1.0, shift: int = 0) -> Path:
        image = nibabel.Nifti1Image.from_filename(case.labels)
        affine = image.affine @ np.diag([1, 1, scale, 1])
        affine[:3, 3] += affine[:3, 2] * shift
        turned = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
        if crop:
            turned = turned.slicer[crop:, :, :]
        turned = turned.as_reoriented(
            nibabel.orientations.ornt_transform(
                nibabel.orientations.io_orientation(turned.affine), nibabel.orientations.axcodes2ornt(codes)
            )
        )
        nibabel.save(turned, tmp_path / "other.nii.gz")
        return tmp_path / "other.nii.gz"

    return make


def test_the_same_grid(sammed: Run, case: Any) -> None:
    run = sammed("check", case.labels, case.image)
    assert (run.exit_code, run.stdout) == (0, "")
    assert f"{case.labels} is on the grid of {case.image}." in run.stderr
    assert ["voxels", "41", "x", "37", "x", "13", "41", "x", "37", "x", "13"] in run.rows
    assert ["axes", "toward", "LPS", "LPS"] in run.rows
    assert next(row for row in run.rows if "lung" in row)[:2] == ["1", "lung"]
    as_json = sammed("check", case.labels, case.image, "--json")
    assert as_json.exit_code == 0
    assert (as_json.json["fits"], as_json.json["lies_on"]) == (True, "grid")
    assert [each["name"] for each in as_json.json["found"]] == ["lung", "heart", "tumour"]
    assert as_json.json["details"] == ""


def test_the_same_lattice(sammed: Run, case: Any, other: Callable[..., Path]) -> None:
    run = sammed("check", other("SRP", crop=2), case.image)
    assert run.exit_code == 0
    assert "shares the lattice of" in run.stderr
    assert "its axes run toward SRP instead of LPS" in run.stderr
    assert "covers 39 x 37 x 13 of the 41 x 37 x 13 voxels of" in run.stderr
    assert sammed("check", other("SRP", crop=2), case.image, "--json").json["lies_on"] == "lattice"


def test_voxels_outside(sammed: Run, case: Any, other: Callable[..., Path]) -> None:
    run = sammed("check", other(shift=4), case.image, "--json")
    assert run.exit_code == 0
    assert any("labeled voxels are outside" in text for text in run.json["sentences"])
    assert sum(each["outside"] for each in run.json["found"]) > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale": 1.2}, "the spacing differs (2 x 2 x 6 against 2 x 2 x 5 mm)"),
        ({"shift": 400}, "are outside"),
    ],
)
def test_no(sammed: Run, case: Any, other: Callable[..., Path], change: dict[str, Any], words: str) -> None:
    run = sammed("check", other(**change), case.image)
    assert run.exit_code == 1
    assert words in run.stderr
    assert "[[" not in run.stderr
    as_json = sammed("check", other(**change), case.image, "--json")
    assert as_json.exit_code == 1
    assert (as_json.json["fits"], as_json.json["lies_on"]) == (False, "no")
    assert "affine [[" in as_json.json["details"]


def test_an_empty_file_is_named(sammed: Run, case: Any, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image.from_filename(case.image)
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), tmp_path / "none.nii")
    run = sammed("check", tmp_path / "none.nii", case.image)
    assert run.exit_code == 0
    assert "no voxel has a label" in run.stderr


def test_a_file_that_can_not_be_read(sammed: Run, case: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.nrrd").write_bytes(b"NRRD")
    assert sammed("check", tmp_path / "bad.nrrd", case.image).exit_code == 1
