"""`sammed evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Sammed


def test_json(sammed: Sammed, case: Case, eroded: Path) -> None:
    run = sammed("evaluate", eroded, case.labels, "--json")
    assert (run.exit_code, run.stderr) == (0, "")
    assert set(run.json) == {"labels", "mean"}
    labels = run.json["labels"]
    assert [(value, labels[value]["name"]) for value in labels] == [
        ("1", "lung"),
        ("2", "heart"),
        ("4", "tumour"),
    ]
    assert all(set(scores) == {"name", "dice", "iou", "hd95_mm", "nsd"} for scores in labels.values())
    assert 0.5 < labels["1"]["dice"] < 1
    assert labels["1"]["hd95_mm"] == pytest.approx(2.0)  # one voxel
    assert labels["4"] == {"name": "tumour", "dice": 0, "iou": 0, "hd95_mm": None, "nsd": 0}


def test_the_table_goes_to_stderr(sammed: Sammed, case: Case) -> None:
    run = sammed("evaluate", case.labels, case.labels)
    assert (run.exit_code, run.stdout) == (0, "")
    assert run.rows[0] == ["Value", "Label", "Dice", "IoU", "HD95", "mm", "NSD", "1", "mm"]
    assert run.rows[2] == ["1", "lung", "1.000", "1.000", "0.000", "1.000"]
    assert run.rows[-1] == ["mean", "1.000", "1.000", "0.000", "1.000"]


def test_slices_are_left_out_and_the_tolerance_counts(sammed: Sammed, case: Case, eroded: Path) -> None:
    whole = sammed("evaluate", eroded, case.labels, "--json", "--tolerance", "3").json
    assert whole["labels"]["1"]["nsd"] == pytest.approx(1.0)
    run = sammed("evaluate", eroded, case.labels, "--exclude-slices", "5,6", "--axis", "2", "--json")
    assert run.json["labels"]["1"] != whole["labels"]["1"]


def test_other_grids(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 5, 7), np.uint8), np.eye(4)), other)
    run = sammed("evaluate", other, case.labels)
    assert run.exit_code == 1
    assert "the spacing differs (1 x 1 x 1 against 2 x 2 x 5 mm)" in run.sentence
    assert "[[" not in run.sentence
    as_json = sammed("evaluate", other, case.labels, "--json")
    assert as_json.json["error"] == run.sentence
    assert "shape 3 x 5 x 7, affine [[" in as_json.json["details"]
    assert "shape 41 x 37 x 13, affine [[" in as_json.json["details"]
    assert "shape 3 x 5 x 7, affine [[" in sammed("--debug", "evaluate", other, case.labels).stderr
    assert as_json.exit_code == 1


def test_a_slice_that_is_not_there(sammed: Sammed, case: Case) -> None:
    run = sammed("evaluate", case.labels, case.labels, "--exclude-slices", "13")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.sentence == "Slice 13 is outside the volume: axis 2 has slices 0 to 12."
