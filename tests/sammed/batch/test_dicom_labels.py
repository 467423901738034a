"""A batch of DICOM series: labels as DICOM SEG and RTSTRUCT, and gaps that get no labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from sammed.batch.labeling import label_batch
from sammed.batch.maker import MakeLabels
from sammed.batch.manifest import Recipe
from sammed.batch.place import Place
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingResult
from sammed.progress import Reporter
from sammed.storage.provenance import Provenance, read_provenance
from sammed_volumes.dicom.codes import parse_code
from sammed_volumes.formats import read_labels
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume, clear_missing
from tests.sammed.conftest import Notes

LIVER = Label(3, "liver", (200, 30, 40))


@dataclass(frozen=True)
class Bright:
    """Stands in for a skill: what is brighter than the mean is liver."""

    labels: LabelVolume
    missing: tuple[int, ...]
    axis: int = 2

    def provenance(self, image_file: str, image_sha256: str) -> Provenance:
        return Provenance(
            image_file, image_sha256, "pseudo", 2, (), "bright", missing_slices=self.missing, scores={}
        )


class Maker:
    recipe = Recipe("0" * 64, {})
    device = "cpu"

    def load(self, place: Place | None) -> MakeLabels:
        def label(volume: Volume, reporter: Reporter) -> Bright:
            voxels = np.where(volume.voxels > volume.voxels.mean(), 3, 0).astype(np.uint8)
            clear_missing(voxels, volume)
            return Bright(LabelVolume(voxels, volume.affine_ras_mm, (LIVER,)), volume.missing_slices)

        return label


def write_slice(folder: Path, k: int, series: str, phase: int = 0) -> None:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(
        f"{series}.{k + 1}" if series else "1.2.9"
    )
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2.3", series, "1.2.5"
    made.Modality, made.Rows, made.Columns = "CT", 6, 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 3 * k], [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [1, 1], 3
    made.PixelData = np.random.default_rng(k).integers(0, 900, (6, 8)).astype(np.int16).tobytes()
    if phase:
        made.SeriesNumber, made.TemporalPositionIdentifier = 3, phase
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(f"{series}.{phase}.{k + 1}")
    made.save_as(folder / f"{k}{'-' * phase}.dcm", enforce_file_format=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Series a and b of six slices, of which b lacks the third; c has no UIDs."""
    for name, series in (("a", "1.2.3.4"), ("b", "1.2.3.6"), ("c", "")):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for k in range(6):
            if (name, k) != ("b", 2):
                write_slice(tmp_path / "scans" / name, k, series)
    return tmp_path / "scans"


def run(folder: Path, *names: str, **settings: Any) -> tuple[LabelingResult, list[str]]:
    inputs = tuple(folder / name for name in names)
    notes = Notes()
    return label_batch(BatchRequest(inputs=inputs, **settings), Maker(), notes), notes.messages


def test_labels_become_a_dicom_seg(folder: Path) -> None:
    codes = (parse_code("liver=T-62000"),)
    result, _ = run(folder, "a", suffix=".dcm", codes=codes)
    (item,) = result.items
    assert (item.status, item.output) == ("done", folder / "a_label.dcm")
    assert item.output is not None
    segment = pydicom.dcmread(item.output).SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    assert read_labels(item.output).labels[0].value == 3
    provenance = read_provenance(item.output)
    assert provenance is not None
    assert provenance.method == "bright"


def test_labels_become_contours(folder: Path) -> None:
    result, _ = run(
        folder, "b", suffix=".rtstruct.dcm", codes=(parse_code("liver=99LOCAL:C1"),), fill_gaps=True
    )
    (item,) = result.items
    assert (item.status, item.output) == ("done", folder / "b_label.rtstruct.dcm")
    assert item.output is not None
    file = pydicom.dcmread(item.output)
    assert file.StructureSetROISequence[0].ROIGenerationAlgorithm == "AUTOMATIC"
    assert file.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0].CodeValue == "C1"
    assert read_labels(item.output).shape == (8, 6, 6)
    assert read_provenance(item.output) is not None


@pytest.mark.parametrize("suffix", [".dcm", ".rtstruct.dcm"])
def test_a_batch_skips_what_is_done_and_repeats_what_has_changed(folder: Path, suffix: str) -> None:
    first, _ = run(folder, "a", "b", suffix=suffix, fill_gaps=True)
    assert [item.status for item in first.items] == ["done", "done"]
    again, _ = run(folder, "a", "b", suffix=suffix, fill_gaps=True)
    assert [item.status for item in again.items] == ["skipped", "skipped"]
    write_slice(folder / "a", 6, "1.2.3.4")
    longer, _ = run(folder, "a", "b", suffix=suffix, fill_gaps=True)
    assert [item.status for item in longer.items] == ["done", "skipped"]


def test_phases_of_a_series_are_labeled_each_and_resumed(folder: Path) -> None:
    (folder / "phases").mkdir()
    for phase, k in np.ndindex(2, 6):
        write_slice(folder / "phases", k, "1.2.3.8", phase + 1)
    result, _ = run(folder, "phases", suffix=".dcm")
    outputs = [folder / "phases_3.1_label.dcm", folder / "phases_3.2_label.dcm"]
    assert [(item.status, item.output) for item in result.items] == [("done", each) for each in outputs]
    for phase, output in enumerate(outputs, start=1):
        (series,) = pydicom.dcmread(output).ReferencedSeriesSequence
        referred = {each.ReferencedSOPInstanceUID for each in series.ReferencedInstanceSequence}
        assert referred == {f"1.2.3.8.{phase}.{k}" for k in range(1, 7)}
    again, _ = run(folder, "phases", suffix=".dcm")
    assert [item.status for item in again.items] == ["skipped", "skipped"]


def test_a_series_with_gaps(folder: Path) -> None:
    refused, _ = run(folder, "b")
    assert refused.items[0].status == "failed"
    assert "1 slice is missing" in (refused.items[0].error or "")
    assert "--fill-gaps" in (refused.items[0].error or "")
    result, messages = run(folder, "b", fill_gaps=True)
    (item,) = result.items
    assert item.output is not None
    voxels = read_labels(item.output).voxels
    assert voxels.shape == (8, 6, 6)
    assert not voxels[:, :, 2].any()
    assert voxels[:, :, 3].any()
    provenance = read_provenance(item.output)
    assert provenance is not None
    assert provenance.missing_slices == (2,)
    filled = "1 slice is missing and filled with background, at 2 along axis 2; it gets no labels"
    assert messages == [f"{folder / 'b'}: {filled}."]


@pytest.mark.parametrize("suffix", [".dcm", ".rtstruct.dcm"])
def test_a_series_without_uids_fails_before_it_is_labeled(folder: Path, suffix: str) -> None:
    result, _ = run(folder, "c", suffix=suffix)
    (item,) = result.items
    assert item.status == "failed"
    assert "this series has no SeriesInstanceUID; use .nii.gz" in (item.error or "")


def test_a_file_stands_for_its_series(folder: Path) -> None:
    result, _ = run(folder, "a/1.dcm")
    (item,) = result.items
    assert item.output == folder / "a" / "1_label.nii.gz"
    assert read_labels(item.output).shape == (8, 6, 6)
