"""DICOM SEG of series whose headers lack what the standard leaves open, or break it."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume, check_same_grid
from sammed_volumes.volume import Volume
from tests.volumes.dicom.conftest import Make, Save, SeriesMaker

STRAIGHT = np.diag([-0.5, -0.6, 2.5, 1.0])
MAY_LACK = (
    *("SliceThickness", "PixelSpacing", "ImageOrientationPatient", "InstanceNumber", "Modality"),
    *("SeriesNumber", "ImageType", "RescaleSlope", "RescaleIntercept", "BitsStored", "SamplesPerPixel"),
)
NOT_VALID: dict[str, Any] = {
    "PatientBirthDate": "unknown",
    "StudyDate": "20.01.2020",
    "StudyTime": "10:20",
    "PatientSex": "female",
    "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
    "SliceThickness": "0",
    "NumberOfFrames": 1,
    "PatientID": ["one", "two"],
}


def image_voxels(slices: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2000, (7, 5, slices)).astype(np.int16)


def check_round_trip(volume: Volume, path: Path, name: str = "liver") -> Any:
    voxels = (np.random.default_rng(0).random(volume.shape) < 0.4).astype(np.uint8) * 3
    write_labels(LabelVolume(voxels, volume.affine_ras_mm, (Label(3, name, (1, 2, 3)),)), path, like=volume)
    found = read_labels(path)
    np.testing.assert_array_equal(found.voxels, voxels)
    check_same_grid(volume, found)
    assert found.labels[0].name == name
    return pydicom.dcmread(path)


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("keyword", MAY_LACK)
def test_an_element_that_slices_may_lack(
    make_series: SeriesMaker, tmp_path: Path, keyword: str, is_empty: bool, slices: int
) -> None:
    folder = make_series(image_voxels(slices), STRAIGHT)
    for path in folder.iterdir():
        made = pydicom.dcmread(path)
        if is_empty:
            made[keyword].value = None
        else:
            del made[keyword]
        made.save_as(path)
    check_round_trip(read_volume(folder), tmp_path / "a.dcm")


def test_the_thickness_is_the_stated_one_else_the_distance_of_slices(
    make_series: SeriesMaker, tmp_path: Path
) -> None:
    for stated, written in ((None, 2.5), ("0", 2.5), ("4", 4.0)):
        volume = read_volume(make_series(image_voxels(3), STRAIGHT, SliceThickness=stated))
        file = check_round_trip(volume, tmp_path / f"{stated}.dcm")
        (measures,) = file.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        assert measures.SliceThickness == written


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("keyword", NOT_VALID)
def test_a_value_that_breaks_the_standard(
    make_series: SeriesMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyword: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
        folder = make_series(image_voxels(3), STRAIGHT, **{keyword: NOT_VALID[keyword]})
    check_round_trip(read_volume(folder), tmp_path / "a.dcm")


def test_directions_that_differ_in_the_last_digits(make_series: SeriesMaker, tmp_path: Path) -> None:
    each = [{"ImageOrientationPatient": [1, 0, rounded, 0, 1, 0]} for rounded in (0, 1e-5, -1e-5)]
    check_round_trip(read_volume(make_series(image_voxels(3), STRAIGHT, each=each)), tmp_path / "a.dcm")


def test_names_of_patients_and_labels_keep_their_letters(make_series: SeriesMaker, tmp_path: Path) -> None:
    folder = make_series(image_voxels(3), STRAIGHT, SpecificCharacterSet="ISO_IR 100", PatientName="Änne^Ö")
    assert str(check_round_trip(read_volume(folder), tmp_path / "a.dcm", "肝脏").PatientName) == "Änne^Ö"


@pytest.mark.parametrize("sequence", ["PixelMeasuresSequence", "PlaneOrientationSequence"])
@pytest.mark.parametrize("is_moved", [True, False], ids=["frame by frame", "missing"])
def test_a_multi_frame_file_without_shared_geometry(
    make_many: Make, save_dicom: Save, tmp_path: Path, sequence: str, is_moved: bool
) -> None:
    made = make_many(np.ascontiguousarray(image_voxels(3).T), (0.0, 2.5, 5.0))
    shared = made.SharedFunctionalGroupsSequence[0].pop(sequence)
    for group in made.PerFrameFunctionalGroupsSequence if is_moved else ():
        group[sequence] = shared
    save_dicom(made, tmp_path / "scan" / "all.dcm")
    check_round_trip(read_volume(tmp_path / "scan"), tmp_path / "a.dcm")


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "FrameOfReferenceUID"])
def test_slices_that_nothing_can_refer_to_together(
    make_series: SeriesMaker, tmp_path: Path, keyword: str
) -> None:
    volume = read_volume(make_series(image_voxels(3), STRAIGHT, each=[{keyword: "1.2.8"}, {}, {}]))
    with pytest.raises(OutputError, match=rf"the slices differ in {keyword}; use .nii.gz"):
        check_round_trip(volume, tmp_path / "a.dcm")
    assert not (tmp_path / "a.dcm").exists()


def test_what_highdicom_refuses_is_a_sentence(
    make_series: SeriesMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import highdicom

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Unknown world.")

    volume = read_volume(make_series(image_voxels(3), STRAIGHT))
    monkeypatch.setattr(highdicom.seg, "Segmentation", refuse)
    with pytest.raises(OutputError, match=r"do not allow a DICOM SEG \(Unknown world\); use .nii.gz.$"):
        check_round_trip(volume, tmp_path / "a.dcm")
