"""Commands on a DICOM folder: missing slices are filled on request, and labels become DICOM."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pydicom
import pytest

from sammed.storage.provenance import read_provenance
from sammed_cli.main import cli
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume
from tests.cli.conftest import Sammed
from tests.volumes.dicom.conftest import SeriesMaker

AFFINE_RAS_MM = np.diag([-0.5, -0.6, 2.5, 1.0])
MISSING = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A series of eight slices, of which the fourth is missing."""
    voxels = np.random.default_rng(0).integers(0, 2000, (17, 13, 8)).astype(np.int16)
    folder = SeriesMaker(tmp_path / "scan")(voxels, AFFINE_RAS_MM)
    (folder / f"{MISSING:02d}.dcm").unlink()
    return folder


@pytest.fixture
def marks(folder: Path, tmp_path: Path) -> Path:
    """A block of liver on the slices around the missing one."""
    volume = read_volume(folder, fill_gaps=True)
    voxels = np.zeros(volume.shape, np.uint8)
    voxels[4:12, 3:9, [2, 4]] = 1
    labels = LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "liver", (200, 30, 40)),))
    write_labels(labels, tmp_path / "marks.nii.gz", like=volume)
    return tmp_path / "marks.nii.gz"


def test_every_command_that_takes_a_series_fills_its_gaps() -> None:
    context = click.Context(cli)
    with_series = []
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        options = {word for each in command.params for word in each.opts}
        if "--series" in options:
            with_series.append(name)
            assert "--fill-gaps" in options, f"sammed {name} has --series without --fill-gaps"
    assert {"info", "check", "convert", "interpolate", "auto-label", "auto-train"} <= set(with_series)


@pytest.mark.parametrize("command", ["info", "check", "convert", "interpolate"])
def test_a_command_fills_gaps_on_request(sammed: Sammed, folder: Path, marks: Path, command: str) -> None:
    arguments = {
        "info": (folder,),
        "check": (marks, folder),
        "convert": (marks, "out.seg.nrrd", "--like", folder),
        "interpolate": (folder, marks, "--output", "out.seg.nrrd"),
    }[command]
    refused = sammed(command, *arguments)
    assert refused.exit_code == 1
    assert "1 slice is missing between 02.dcm" in refused.sentence
    assert "fill the gaps with --fill-gaps" in refused.sentence
    run = sammed(command, *arguments, "--fill-gaps")
    assert run.exit_code == 0, run.stderr


def test_a_missing_slice_gets_no_interpolated_labels(sammed: Sammed, folder: Path, marks: Path) -> None:
    run = sammed("interpolate", folder, marks, "--fill-gaps", "--output", "out.seg.nrrd")
    assert run.exit_code == 0, run.stderr
    counts = (read_labels("out.seg.nrrd").voxels > 0).sum(axis=(0, 1))
    assert counts[MISSING] == 0
    assert counts[2] == counts[4] == 48
    provenance = read_provenance(Path("out.seg.nrrd"))
    assert provenance is not None
    assert provenance.missing_slices == (MISSING,)


def test_labels_by_hand_become_a_dicom_seg_with_codes(sammed: Sammed, folder: Path, marks: Path) -> None:
    given = ("--like", folder, "--fill-gaps", "--code", "liver=99LOCAL:C1")
    assert sammed("convert", marks, "out.dcm", *given).exit_code == 0
    (segment,) = pydicom.dcmread("out.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == "MANUAL"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "C1"


def test_interpolated_labels_become_contours_with_codes(sammed: Sammed, folder: Path, marks: Path) -> None:
    given = ("--fill-gaps", "--format", "rtstruct", "--code", "liver=99LOCAL:C1")
    assert sammed("interpolate", folder, marks, *given).exit_code == 0
    file = pydicom.dcmread(folder.with_name("scan_label.rtstruct.dcm"))
    assert file.StructureSetROISequence[0].ROIGenerationAlgorithm == "SEMIAUTOMATIC"
    assert file.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0].CodeValue == "C1"


def test_contours_are_refused_for_an_image_that_is_not_dicom(
    sammed: Sammed, folder: Path, marks: Path
) -> None:
    run = sammed("interpolate", marks, marks, "--format", "rtstruct")
    assert run.exit_code == 1
    fact = "marks.nii.gz is not a DICOM series, and an RTSTRUCT refers to one; use .nii.gz, or"
    assert fact in run.sentence
    assert not Path("marks_label.rtstruct.dcm").exists()


def test_labels_on_a_missing_slice_are_not_dropped(sammed: Sammed, folder: Path, tmp_path: Path) -> None:
    volume = read_volume(folder, fill_gaps=True)
    labels = LabelVolume(np.ones(volume.shape, np.uint8), volume.affine_ras_mm, (Label(1, "a", (0, 0, 0)),))
    write_labels(labels, tmp_path / "all.nii.gz", like=volume)
    run = sammed("convert", tmp_path / "all.nii.gz", "out.dcm", "--like", folder, "--fill-gaps")
    assert (run.exit_code, "labels on slices that the series lacks" in run.sentence) == (1, True)
    given = ("out.rtstruct.dcm", "--like", folder, "--fill-gaps")
    assert sammed("convert", tmp_path / "all.nii.gz", *given).exit_code == 0
    assert read_labels("out.rtstruct.dcm").voxels.all()
