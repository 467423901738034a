"""`sammed export`: options reach the library, what was written is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Sammed


def test_nnunet(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    run = sammed(
        *("export", "nnunet", case.image.parent, case.labels.parent, "--output", raw, "--json"),
        *("--name", "Chest", "--dataset-id", 7, "--modality", "CT"),
    )
    assert run.exit_code == 0, run.stderr
    folder = raw / "Dataset007_Chest"
    assert run.json["folder"] == str(folder)
    assert run.json["training"] == 1
    described = json.loads((folder / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "lung": 1, "heart": 2, "tumour": 3}
    assert described["channel_names"] == {"0": "CT"}


def test_monai_with_pseudo_labels_and_a_test_image(
    sammed: Sammed, case: Case, eroded: Path, tmp_path: Path
) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    eroded.rename(machine / "Frau Süß_label.nii.gz")
    run = sammed(
        *("export", "monai", case.image, case.labels, "--output", tmp_path / "set", "--name", "Chest"),
        *("--pseudo", case.image.parent, machine, "--test", case.image.parent),
    )
    assert (run.exit_code, run.stdout) == (0, ""), run.stderr
    assert ["cases", "with", "labels", "2"] in run.rows
    datalist = json.loads((tmp_path / "set/datalist.json").read_text())
    assert [item["pseudo"] for item in datalist["training"]] == [False, True]
    assert len(datalist["testing"]) == 1


@pytest.mark.parametrize(
    ("form", "more"), [("nnunet", ("--dataset-id", 7)), ("monai", ())], ids=["nnunet", "monai"]
)
def test_nothing_is_overwritten_unasked(
    sammed: Sammed, case: Case, tmp_path: Path, form: str, more: tuple[str | int, ...]
) -> None:
    output = tmp_path / "set"
    output.mkdir()
    command = ("export", form, case.image, case.labels, "--output", output, "--name", "Chest", *more)
    assert sammed(*command).exit_code == 0
    again = sammed(*command)
    assert again.exit_code == 1
    assert "already exists" in again.sentence
    assert sammed(*command, "--overwrite").exit_code == 0


@pytest.mark.parametrize("option", ["--license", "--licence"])
def test_the_former_spelling_of_the_license_still_works_but_is_not_shown(
    sammed: Sammed, case: Case, tmp_path: Path, option: str
) -> None:
    command = ("export", "monai", case.image, case.labels, "--output", tmp_path / "set", "--name", "Chest")
    run = sammed(*command, option, "CC BY 4.0")
    assert run.exit_code == 0, run.stderr
    assert "CC BY 4.0" in (tmp_path / "set/datalist.json").read_text()
    assert "--licence" not in sammed("export", "monai", "--help").stdout


def test_files_without_a_partner(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    (case.image.parent / "alone.nii.gz").write_bytes(case.image.read_bytes())
    run = sammed(
        *("export", "monai", case.image.parent, case.labels.parent),
        *("--output", tmp_path / "set", "--name", "Chest"),
    )
    assert run.exit_code == 1
    assert "alone.nii.gz" in run.sentence
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("form", "more"), [("nnunet", ("--dataset-id", 7)), ("monai", ())])
@pytest.mark.parametrize(
    ("folders", "fact"),
    [
        (("empty", "empty"), "empty holds no image"),
        (("empty", "labels"), "without an image: Frau Süß_label.nii.gz"),
        (("scans", "empty"), "without labels: Frau Süß.nii.gz"),
        (("scans", "labels", "--pseudo", "empty", "empty"), "empty holds no image"),
        (("scans", "labels", "--test", "empty"), "empty holds no image"),
    ],
)
def test_without_a_pair_nothing_is_written(
    sammed: Sammed,
    case: Case,
    tmp_path: Path,
    form: str,
    more: tuple[str | int, ...],
    folders: tuple[str, ...],
    fact: str,
) -> None:
    (tmp_path / "empty").mkdir()
    assert case.image.parent == tmp_path / "scans"
    run = sammed("export", form, *folders, "--output", "raw/set", "--name", "Chest", *more)
    assert run.exit_code == 1
    assert fact in run.sentence
    assert not (tmp_path / "raw").exists()


def test_folders_below_are_in_the_data_set(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    for path in (case.image, case.labels):
        (path.parent / "ward 3").mkdir()
        (path.parent / "ward 3" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "raw").mkdir()
    command = ("export", "nnunet", "scans", "labels", "--output", "raw", "--name", "Chest", "--dataset-id", 7)
    assert sammed(*command).exit_code == 0
    labels = sorted(path.name for path in (tmp_path / "raw/Dataset007_Chest/labelsTr").iterdir())
    assert labels == ["Frau_Su.nii.gz", "ward_3_Frau_Su.nii.gz"]
