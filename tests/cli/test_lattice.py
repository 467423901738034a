"""Every command that takes an image and labels takes the labels in any storage, with the same result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.storage.provenance import read_provenance
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.lattice import reorientation
from sammed_volumes.volume import Volume

Run = Callable[..., Any]


@pytest.fixture
def turned(case: Any, tmp_path: Path) -> Path:
    """The case's labels from behind, cropped to what they show, as a `.seg.nrrd` of the same name."""
    labels = read_labels(case.labels)
    found, grid = reorientation(labels.grid, "PSR")
    voxels, affine = found.place(labels.voxels), grid.affine_ras_mm.copy()
    shown = np.argwhere(voxels)
    low, high = shown.min(axis=0), shown.max(axis=0) + 1
    affine[:3, 3] += affine[:3, :3] @ low
    voxels = voxels[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    path: Path = tmp_path / "turned" / case.labels.name.replace(".nii.gz", ".seg.nrrd")
    path.parent.mkdir()
    write_labels(LabelVolume(voxels, affine, labels.labels), path, like=Volume(voxels, affine))
    return path


@pytest.fixture
def shifted(case: Any, tmp_path: Path) -> Path:
    image = nibabel.Nifti1Image.from_filename(case.labels)
    affine = image.affine.copy()
    affine[0, 3] += 1.0  # half a voxel
    path: Path = tmp_path / "shifted" / case.labels.name
    path.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), path)
    return path


def test_evaluate(sammed: Run, case: Any, turned: Path, eroded: Path) -> None:
    expected = sammed("evaluate", eroded, case.labels, "--json").json
    found = sammed("evaluate", eroded, turned, "--json").json
    for value, scores in expected["labels"].items():
        again = found["labels"][value]
        assert again.pop("name") == scores.pop("name")
        assert again.keys() == scores.keys()
        for key, score in scores.items():  # NSD is summed in another order
            assert again[key] == (None if score is None else pytest.approx(score, rel=1e-6))
    backward = sammed("evaluate", case.labels, eroded, "--json").json
    assert sammed("evaluate", turned, eroded, "--json").json == backward


def test_evaluate_with_resample(sammed: Run, case: Any, shifted: Path) -> None:
    run = sammed("evaluate", shifted, case.labels)
    assert run.exit_code == 1
    assert "the voxel centers are up to 1 mm apart" in run.sentence
    run = sammed("evaluate", shifted, case.labels, "--resample", "--json")
    assert run.exit_code == 0, run.stderr
    assert run.json["resampled"] is True
    assert run.json["labels"]["1"]["dice"] > 0.8
    assert "resampled onto the grid of" in run.stderr


@pytest.mark.parametrize("command", ["nnunet", "monai"])
def test_export(sammed: Run, case: Any, turned: Path, tmp_path: Path, command: str) -> None:
    number = ("--dataset-id", "7") if command == "nnunet" else ()
    written = []
    for name, labels in (("one", case.labels), ("two", turned)):
        arguments = ("--name", "A", "--marked-only", *number, "--output", tmp_path / name, "--json")
        run = sammed("export", command, case.image, labels, *arguments)
        assert run.exit_code == 0, run.stderr
        (path,) = Path(run.json["folder"]).glob("labelsTr/*")
        written.append((run.json["labels"], read_labels(path)))
    assert written[0][0] == written[1][0]
    np.testing.assert_array_equal(written[0][1].voxels, written[1][1].voxels)
    np.testing.assert_array_equal(written[0][1].affine_ras_mm, written[1][1].affine_ras_mm)


def test_a_set(sammed: Run, case: Any, turned: Path, shifted: Path, tmp_path: Path) -> None:
    from sammed.datasets.labeled_sets.pictures import open_case
    from sammed.datasets.labeled_sets.set_file import read_set

    opened = []
    for name, labels in (("one", case.labels), ("two", turned)):
        run = sammed(
            "set", "make", case.image.parent, labels.parent, "--marked-only", "--output", tmp_path / name
        )
        assert run.exit_code == 0, run.stderr
        made = read_set(tmp_path / name)
        opened.append(open_case(made.cases[0], made))
    assert opened[0].case.annotated_slices == opened[1].case.annotated_slices
    assert opened[0].case.axis == opened[1].case.axis
    np.testing.assert_array_equal(opened[0].label_stack(), opened[1].label_stack())
    run = sammed("set", "make", case.image.parent, shifted.parent, "--output", tmp_path / "three")
    assert run.exit_code == 1
    assert "sammed convert --like IMAGE --resample" in run.stderr


@pytest.mark.parametrize("command", ["nnunet", "monai"])
def test_export_with_resample(sammed: Run, case: Any, shifted: Path, tmp_path: Path, command: str) -> None:
    number = ("--dataset-id", "7") if command == "nnunet" else ()
    arguments = ("export", command, case.image, shifted, "--name", "A", *number, "--output", tmp_path / "out")
    refused = sammed(*arguments)
    assert (refused.exit_code, (tmp_path / "out").exists()) == (1, False)
    assert "the voxel centers are up to 1 mm apart" in refused.sentence
    run = sammed(*arguments, "--resample", "--json")
    assert run.exit_code == 0, run.stderr
    assert "resampled onto the grid of" in run.stderr
    written = Path(run.json["folder"])
    (made,) = json.loads((written / "manifest.json").read_text(encoding="utf-8"))["cases"]
    assert made["label"]["resampled"] == "shape-based interpolation of signed distances"
    (path,) = written.glob("labelsTr/*")
    truth, found = read_labels(case.labels).voxels == 1, read_labels(path).voxels > 0
    assert (truth & found).sum() > 0.8 * truth.sum()


def test_a_set_with_resample_keeps_it(sammed: Run, case: Any, shifted: Path, tmp_path: Path) -> None:
    from sammed.datasets.labeled_sets.pictures import open_case
    from sammed.datasets.labeled_sets.set_file import read_set

    run = sammed("set", "make", case.image.parent, shifted.parent, "--resample", "--output", tmp_path / "set")
    assert run.exit_code == 0, run.stderr
    assert "resampled onto the grid of" in run.stderr
    made = read_set(tmp_path / "set")
    opened = open_case(made.cases[0], made)
    assert opened.labels is not None
    assert opened.labels.resampled
    assert opened.labels.shape == opened.volume.shape
    export = ("export", "monai", tmp_path / "set", "--name", "A", "--output", tmp_path / "out")
    assert sammed(*export).exit_code == 0
    assert "give --flatten and --resample to `sammed set make`" in sammed(*export, "--resample").sentence


def test_interpolate_with_resample(sammed: Run, case: Any, shifted: Path, tmp_path: Path) -> None:
    arguments = ("interpolate", case.image, shifted, "--slices", "3", "--output", tmp_path / "out.nii.gz")
    assert "the voxel centers are up to 1 mm apart" in sammed(*arguments).sentence
    run = sammed(*arguments, "--resample")
    assert run.exit_code == 0, run.stderr
    assert "resampled onto the grid of" in run.stderr
    made = read_provenance(tmp_path / "out.nii.gz")
    assert made is not None
    assert made.method == "interpolation/mean; shape-based interpolation of signed distances"
