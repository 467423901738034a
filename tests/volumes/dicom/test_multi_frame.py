"""Multi-frame files: many slices in one file are read like a series of single slices."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless

from sammed_volumes.errors import SeriesError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.formats import read_volume
from tests.volumes.dicom.conftest import Make, Save

FRAMES = np.random.default_rng(0).integers(0, 3000, (4, 5, 7)).astype(np.int16)
HEIGHTS_MM = (5.0, 0.0, 7.5, 2.5)
SORTED = FRAMES[[1, 3, 0, 2]].T - 1024


def test_an_enhanced_ct_is_read_like_a_series(tmp_path: Path, make_many: Make, save_dicom: Save) -> None:
    path = save_dicom(make_many(FRAMES, HEIGHTS_MM), tmp_path / "scan" / "all.dcm")
    for place in (path, path.parent):
        volume = read_volume(place)
        np.testing.assert_array_equal(volume.voxels, SORTED)
        assert volume.voxels.dtype == np.int16
        assert volume.modality == "CT"
        assert volume.spacing_mm == pytest.approx((0.5, 0.6, 2.5))
        np.testing.assert_allclose(volume.affine_ras_mm[:3, 3], (-10, -20, 0))
        assert volume.notes == ()


def test_each_frame_has_its_own_rescaling(
    tmp_path: Path, make_many: Make, make_item: Make, save_dicom: Save
) -> None:
    """An enhanced PET or MR may change the slope from frame to frame; ITK applies the first to all."""
    groups = [
        {"PixelValueTransformationSequence": [make_item(RescaleSlope=slope, RescaleIntercept=k)]}
        for k, slope in enumerate((1, 2, 0.5, 4))
    ]
    save_dicom(make_many(FRAMES, (0.0, 2.5, 5.0, 7.5), groups), tmp_path / "all.dcm")
    volume = read_volume(tmp_path)
    assert volume.voxels.dtype == np.float32
    expected = [
        frame * slope + k for k, (frame, slope) in enumerate(zip(FRAMES, (1, 2, 0.5, 4), strict=True))
    ]
    np.testing.assert_array_equal(volume.voxels, np.stack(expected).T)


def test_the_orientation_may_stand_with_each_frame(
    tmp_path: Path, make_many: Make, make_item: Make, save_dicom: Save
) -> None:
    turned = {"PlaneOrientationSequence": [make_item(ImageOrientationPatient=[0, 1, 0, -1, 0, 0])]}
    made = make_many(FRAMES, HEIGHTS_MM, [turned] * 4)
    del made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    save_dicom(made, tmp_path / "all.dcm")
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.voxels, SORTED)
    np.testing.assert_allclose(
        volume.affine_ras_mm[:3, :3], [[0, 0.6, 0], [-0.5, 0, 0], [0, 0, 2.5]], atol=1e-9
    )


@pytest.mark.parametrize("syntax", [RLELossless, DeflatedExplicitVRLittleEndian])
def test_compressed_frames(tmp_path: Path, make_many: Make, save_dicom: Save, syntax: UID) -> None:
    path = save_dicom(make_many(FRAMES, HEIGHTS_MM), tmp_path / "all.dcm")
    made = pydicom.dcmread(path)
    if syntax == RLELossless:
        made.compress(syntax)
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(path)
    np.testing.assert_array_equal(read_volume(tmp_path).voxels, SORTED)


def test_b_values_are_sub_volumes(tmp_path: Path, make_many: Make, make_item: Make, save_dicom: Save) -> None:
    groups = [{"MRDiffusionSequence": [make_item(DiffusionBValue=b)]} for b in (800, 800, 0, 0)]
    save_dicom(make_many(FRAMES, (0.0, 2.5, 0.0, 2.5), groups, Modality="MR"), tmp_path / "all.dcm")
    with pytest.raises(SeriesError) as error:
        read_volume(tmp_path)
    assert "1.1 (b-value 0.0, 2 slices), 1.2 (b-value 800.0, 2 slices)" in str(error.value)
    np.testing.assert_array_equal(read_volume(tmp_path, series="1.1").voxels, FRAMES[2:].T - 1024)
    np.testing.assert_array_equal(read_volume(tmp_path, series="1.2").voxels, FRAMES[:2].T - 1024)


def test_frames_and_descriptions_differ_in_number(tmp_path: Path, make_many: Make, save_dicom: Save) -> None:
    save_dicom(make_many(FRAMES, HEIGHTS_MM[:3]), tmp_path / "all.dcm")
    with pytest.raises(UnsupportedVolumeError, match=r"all.dcm declares 4 frames and describes 3"):
        read_volume(tmp_path)


def test_a_claim_of_many_frames_costs_no_memory(tmp_path: Path, make_many: Make, save_dicom: Save) -> None:
    made = make_many(FRAMES, HEIGHTS_MM, NumberOfFrames=2_000_000_000, Rows=65535, Columns=65535)
    save_dicom(made, tmp_path / "all.dcm")
    with pytest.raises(UnreadableVolumeError, match=r"all.dcm is cut short or damaged"):
        read_volume(tmp_path)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.9])
def test_a_file_cut_short_is_named(tmp_path: Path, make_many: Make, save_dicom: Save, part: float) -> None:
    path = save_dicom(make_many(FRAMES, HEIGHTS_MM), tmp_path / "all.dcm")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    for place in (path, tmp_path):
        with pytest.raises(UnreadableVolumeError, match=r"all.dcm is cut short or damaged"):
            read_volume(place)
