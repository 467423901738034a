"""DICOM SEG: labels written on a series and read back voxel by voxel, by sammed, highdicom and dcmqi."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.dicom.codes import parse_code
from sammed_volumes.dicom.details import LabelDetails
from sammed_volumes.errors import LabelError, OutputError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume, check_same_grid
from sammed_volumes.volume import Volume
from tests.volumes.conftest import Reorient
from tests.volumes.dicom.conftest import Make, Save, SeriesMaker

LABELS = (
    Label(2, "Left kidney", (250, 10, 30)),
    Label(7, "not here", (3, 4, 5)),
    Label(9, "Läsion", (0, 255, 0)),
)
EMPTY: dict[str, Any] = {
    keyword: {keyword: ""} for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
}
SHAPES = ((7, 5, 4), (6, 9, 3), (8, 8, 1))


def labels_on(volume: Volume, seed: int = 0) -> LabelVolume:
    """Scattered labels that leave the first slice empty, where there is more than one."""
    voxels = np.random.default_rng(seed).choice([0, 0, 2, 9], volume.shape).astype(np.uint8)
    if volume.shape[2] > 1:
        voxels[:, :, 0] = 0
    return LabelVolume(voxels, volume.affine_ras_mm, LABELS)


def image_voxels(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2000, shape).astype(np.int16)


def check_round_trip(volume: Volume, path: Path) -> LabelVolume:
    written = labels_on(volume)
    write_labels(written, path, like=volume)
    found = read_labels(path)
    np.testing.assert_array_equal(found.voxels, written.voxels)
    check_same_grid(volume, found)
    assert found.labels == LABELS
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_round_trip_in_every_orientation(
    make_series: SeriesMaker,
    reorient: Reorient,
    oblique: np.ndarray,
    tmp_path: Path,
    axcodes: str,
    shape: tuple[int, int, int],
) -> None:
    voxels, affine_ras_mm = reorient(image_voxels(shape), oblique, axcodes)
    volume = read_volume(make_series(voxels, affine_ras_mm))
    check_round_trip(volume, tmp_path / "a_label.dcm")


def test_a_tilted_gantry(make_series: SeriesMaker, tmp_path: Path) -> None:
    tilted = np.diag([-0.5, -0.6, 2.5, 1.0])
    tilted[1, 2] = 0.7
    check_round_trip(read_volume(make_series(image_voxels(SHAPES[0]), tilted)), tmp_path / "a.dcm")


def test_a_series_with_filled_gaps(make_series: SeriesMaker, tmp_path: Path, oblique: np.ndarray) -> None:
    folder = make_series(image_voxels((7, 5, 6)), oblique)
    (folder / "03.dcm").unlink()
    volume = read_volume(folder, fill_gaps=True)
    written = labels_on(volume)
    written.voxels[:, :, volume.missing_slices] = 0
    write_labels(written, tmp_path / "a.dcm", like=volume)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.dcm").voxels, written.voxels)


def test_a_multi_frame_series(make_many: Make, save_dicom: Save, tmp_path: Path) -> None:
    frames = image_voxels((5, 5, 7))
    heights_mm = (5.0, 0.0, 7.5, 2.5, 10.0)
    save_dicom(make_many(frames, heights_mm, ContentDate="20200101"), tmp_path / "scan" / "all.dcm")
    check_round_trip(read_volume(tmp_path / "scan"), tmp_path / "a.dcm")


def test_a_sub_volume_of_a_multi_frame_file(
    make_many: Make, make_item: Make, save_dicom: Save, tmp_path: Path
) -> None:
    groups = [{"MRDiffusionSequence": [make_item(DiffusionBValue=b)]} for b in (0, 800, 0, 800)]
    made = make_many(image_voxels((4, 5, 7)), (0.0, 0.0, 2.5, 2.5), groups)
    save_dicom(made, tmp_path / "scan" / "all.dcm")
    check_round_trip(read_volume(tmp_path / "scan", series="1.2"), tmp_path / "a.dcm")
    (referenced,) = (
        pydicom.dcmread(tmp_path / "a.dcm").PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
    )
    assert referenced.SourceImageSequence[0].ReferencedFrameNumber == 4


def test_a_series_in_an_archive(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> None:
    folder = make_series(image_voxels(SHAPES[0]), oblique)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as file:
        for path in folder.iterdir():
            file.write(path, f"SE0/{path.name}")
    check_round_trip(read_volume(tmp_path / "scan.zip"), tmp_path / "a.dcm")


def test_what_a_segmentation_says(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique, PatientName="Anna^A", StudyID="17"))
    details = LabelDetails("AUTOMATIC", "1.2", (parse_code("läsion=M-01000"),))
    write_labels(labels_on(volume), tmp_path / "a.dcm", like=volume, details=details)
    written = pydicom.dcmread(tmp_path / "a.dcm")
    assert (written.PatientName, written.StudyID, written.StudyInstanceUID) == ("Anna^A", "17", "1.2.3")
    assert written.FrameOfReferenceUID == "1.2.3.99"
    kidney, absent, lesion = written.SegmentSequence
    assert [each.SegmentAlgorithmType for each in written.SegmentSequence] == ["AUTOMATIC"] * 3
    assert kidney.SegmentAlgorithmName == "sammed"
    assert kidney.SegmentLabel == "Left kidney"
    assert code(kidney.SegmentedPropertyTypeCodeSequence) == ("18639004", "SCT")
    assert code(kidney.SegmentedPropertyCategoryCodeSequence) == ("123037004", "SCT")
    assert code(absent.SegmentedPropertyTypeCodeSequence) == ("85756007", "SCT")
    assert code(lesion.SegmentedPropertyTypeCodeSequence) == ("49755003", "SCT")
    sources = {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "series").iterdir()}
    (series,) = written.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.4"
    assert {each.ReferencedSOPInstanceUID for each in series.ReferencedInstanceSequence} == sources


def code(sequence: Any) -> tuple[str, str]:
    return sequence[0].CodeValue, sequence[0].CodingSchemeDesignator


def test_labels_by_hand_are_manual(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique))
    write_labels(labels_on(volume), tmp_path / "a.dcm", like=volume, details=LabelDetails("MANUAL"))
    assert pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence[0].SegmentAlgorithmType == "MANUAL"


def test_highdicom_reads_the_same_voxels_at_the_same_places(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path
) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique))
    written = labels_on(volume)
    write_labels(written, tmp_path / "a.dcm", like=volume)
    found = highdicom.seg.segread(tmp_path / "a.dcm").get_volume(combine_segments=True)
    check_places(written, np.where(found.array == 3, 9, found.array * 2), swap_ras_lps(found.affine))


def test_dcmqi_reads_the_same_voxels_at_the_same_places(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path
) -> None:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    tool = shutil.which("segimage2itkimage", path=places)
    if tool is None:
        pytest.skip("there is no segimage2itkimage; `pip install dcmqi` brings it")
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique))
    written = labels_on(volume)
    write_labels(written, tmp_path / "a.dcm", like=volume)
    (tmp_path / "out").mkdir()
    given = ["--inputDICOM", str(tmp_path / "a.dcm"), "--outputDirectory", str(tmp_path / "out")]
    subprocess.run([tool, *given, "--outputType", "nii"], check=True, capture_output=True)
    kidney, lesion = (nifti(tmp_path / "out" / f"{number}.nii.gz") for number in (1, 3))
    values = np.asarray(kidney.dataobj) * 2 + np.asarray(lesion.dataobj) // 3 * 9
    check_places(written, values, kidney.affine)


def nifti(path: Path) -> Any:
    return nibabel.load(path)


def check_places(written: LabelVolume, values: np.ndarray, affine_ras_mm: np.ndarray) -> None:
    """Every labeled voxel of another program's volume lies where sammed's voxel of that value does."""
    to_ours = np.linalg.inv(written.affine_ras_mm) @ affine_ras_mm
    index = np.argwhere(values > 0)
    ours = index @ to_ours[:3, :3].T + to_ours[:3, 3]
    np.testing.assert_allclose(ours, np.round(ours), atol=1e-3)
    assert (values > 0).sum() == (written.voxels > 0).sum()
    np.testing.assert_array_equal(written.voxels[tuple(np.round(ours).astype(int).T)], values[tuple(index.T)])


@pytest.fixture
def others_file(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> Any:
    """A SEG as highdicom alone writes it, of overlapping segments on the two middle slices of four."""

    def make(kind: str = "BINARY", overlap: bool = False, masks: Any = None, **more: Any) -> Any:
        folder = make_series(image_voxels(SHAPES[0]), oblique, PatientID="", PatientName="", PatientSex="")
        sources = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        for source in sources:
            for keyword in ("PatientBirthDate", "AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
                setattr(source, keyword, None)
        pixels = np.zeros((4, 5, 7, 2), np.uint8)
        pixels[1:3, 1:3, 2:5, 0] = 1
        pixels[2, 2 - overlap : 5, 4:6, 1] = 1
        pixels[2, 2, 4, 1] = overlap
        tissue = highdicom.sr.CodedConcept("85756007", "SCT", "Tissue")
        segments = [
            highdicom.seg.SegmentDescription(number, name, tissue, tissue, "MANUAL")
            for number, name in ((1, "first"), (2, "second"))
        ]
        written = highdicom.seg.Segmentation(
            sources,
            pixels.copy() if masks is None else masks,
            kind,
            segments,
            highdicom.UID(),
            1,
            highdicom.UID(),
            1,
            "other",
            "other",
            "1",
            "1",
            **more,
        )
        written.save_as(tmp_path / "other.dcm")
        return read_volume(folder), pixels

    return make


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_a_segmentation_of_another_program_lies_on_its_own_slices(
    others_file: Make, tmp_path: Path, kind: str
) -> None:
    more = {"max_fractional_value": 200} if kind == "FRACTIONAL" else {}
    volume, pixels = others_file(kind, **more)
    found = read_labels(tmp_path / "other.dcm")
    assert [label.name for label in found.labels] == ["first", "second"]
    assert found.shape == (7, 5, 2)
    check_places(found, (pixels[..., 0] + 2 * pixels[..., 1]).T, volume.affine_ras_mm)


def test_segments_that_overlap(others_file: Make, tmp_path: Path) -> None:
    _, pixels = others_file(overlap=True)
    with pytest.raises(LabelError, match=r"'first' and 'second' overlap.*with --flatten the later one wins"):
        read_labels(tmp_path / "other.dcm")
    found = read_labels(tmp_path / "other.dcm", flatten=True)
    assert found.voxel_counts() == {
        1: int((pixels[..., 0] > pixels[..., 1]).sum()),
        2: int(pixels[..., 1].sum()),
    }


def test_probabilities_are_refused(others_file: Make, tmp_path: Path) -> None:
    masks = np.random.default_rng(0).random((4, 5, 7, 2)).astype(np.float32)
    others_file("FRACTIONAL", masks=masks)
    with pytest.raises(UnsupportedVolumeError, match="it holds probabilities"):
        read_labels(tmp_path / "other.dcm")


@pytest.mark.parametrize("keyword", EMPTY)
def test_a_series_with_empty_uids_is_refused_in_a_sentence(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path, keyword: str
) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique, **EMPTY[keyword]))
    with pytest.raises(
        OutputError, match=rf"this series has no {keyword}; use .nii.gz, or export the series"
    ):
        write_labels(labels_on(volume), tmp_path / "a.dcm", like=volume)
    assert not (tmp_path / "a.dcm").exists()


def test_labels_of_other_volumes_are_refused(tmp_path: Path) -> None:
    volume = Volume(image_voxels(SHAPES[0]), np.eye(4), path=Path("scan.nii"))
    with pytest.raises(OutputError, match=r"scan.nii is not a DICOM series, and a DICOM SEG refers to one"):
        write_labels(labels_on(volume), tmp_path / "a.dcm", like=volume)


def test_a_series_that_is_gone_is_named(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path
) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique))
    (tmp_path / "series" / "02.dcm").unlink()
    with pytest.raises(OutputError, match=r"02.dcm is gone or can't be read \(No such file"):
        write_labels(labels_on(volume), tmp_path / "a.dcm", like=volume)


def test_a_segmentation_in_the_folder_is_no_slice(make_series: SeriesMaker, oblique: np.ndarray) -> None:
    folder = make_series(image_voxels(SHAPES[0]), oblique)
    volume = read_volume(folder)
    write_labels(labels_on(volume), folder / "a_label.dcm", like=volume)
    again = read_volume(folder)
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.notes == ()
    with pytest.raises(UnsupportedVolumeError, match="it is not an image but Segmentation Storage"):
        read_volume(folder / "a_label.dcm")
    with pytest.raises(UnreadableVolumeError, match="it is neither a DICOM SEG nor an RTSTRUCT"):
        read_labels(folder / "00.dcm")


@pytest.mark.parametrize("part", [0.3, 0.8, 0.99])
def test_a_segmentation_cut_short_is_named(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path, part: float
) -> None:
    volume = read_volume(make_series(image_voxels(SHAPES[0]), oblique))
    path = tmp_path / "a.dcm"
    write_labels(labels_on(volume), path, like=volume)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises((UnreadableVolumeError, UnsupportedVolumeError)):
        read_labels(path)


@pytest.mark.parametrize("text", ["liver", "liver=", "=T-62000", "liver=1 2", "liver=abc"])
def test_a_code_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LabelError, match=r"; write (NAME=CODE|SCHEME:abc)"):
        parse_code(text)


def test_codes_have_schemes() -> None:
    codes = [parse_code(f"liver={text}").code for text in ("T-62000", "10200004", "99LOCAL:X1")]
    assert [(each.scheme, each.value) for each in codes] == [
        ("SRT", "T-62000"),
        ("SCT", "10200004"),
        ("99LOCAL", "X1"),
    ]
