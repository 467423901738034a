"""RTSTRUCT: labels written on a series, read back by sammed and rt-utils, and close to what was drawn."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from sammed_volumes.affine import apply_affine, swap_ras_lps
from sammed_volumes.dicom.codes import parse_code
from sammed_volumes.dicom.details import LabelDetails
from sammed_volumes.dicom.outlines import outlines_of
from sammed_volumes.dicom.polygons import fill_polygons
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume, check_same_grid
from sammed_volumes.volume import Volume
from tests.volumes.conftest import Reorient
from tests.volumes.dicom.conftest import Make, Save, SeriesMaker

LABELS = (
    Label(2, "Left kidney", (250, 10, 30)),
    Label(7, "not here", (3, 4, 5)),
    Label(9, "Läsion 肝", (0, 255, 0)),
)
SHAPE = (13, 11, 5)


def image_voxels(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2000, shape).astype(np.int16)


def labels_on(volume: Volume) -> LabelVolume:
    """A ring with an island, and specks: holes, single pixels, diagonals, and pixels at the image's edge."""
    voxels = np.random.default_rng(0).choice([0, 0, 0, 9], volume.shape).astype(np.uint8)
    voxels[1:8, 1:8, 1:] = 2
    voxels[3:6, 3:6, 1:] = 0
    voxels[4, 4, 1:] = 2
    voxels[:, :, 0] = 0
    return LabelVolume(voxels, volume.affine_ras_mm, LABELS)


def check_round_trip(volume: Volume, path: Path, details: LabelDetails | None = None) -> Any:
    """The labels come back on the grid of the volume, and on the grid that the file notes."""
    written = labels_on(volume)
    write_labels(written, path, like=volume, details=details or LabelDetails())
    for found in (read_labels(path, like=volume.grid), read_labels(path)):
        np.testing.assert_array_equal(found.voxels, written.voxels)
        check_same_grid(volume, found)
        assert found.labels == LABELS
    return pydicom.dcmread(path)


def test_a_round_trip_in_every_orientation(
    make_series: SeriesMaker, reorient: Reorient, oblique: np.ndarray, tmp_path: Path, axcodes: str
) -> None:
    voxels, affine_ras_mm = reorient(image_voxels(), oblique, axcodes)
    check_round_trip(read_volume(make_series(voxels, affine_ras_mm)), tmp_path / "a.rtstruct.dcm")


def test_a_tilted_gantry(make_series: SeriesMaker, tmp_path: Path) -> None:
    tilted = np.diag([-0.5, -0.6, 2.5, 1.0])
    tilted[1, 2] = 0.7
    check_round_trip(read_volume(make_series(image_voxels(), tilted)), tmp_path / "a.rtstruct.dcm")


def test_a_multi_frame_file_is_referred_to_by_frame(
    make_many: Make, save_dicom: Save, tmp_path: Path
) -> None:
    frames = np.ascontiguousarray(image_voxels().T)
    save_dicom(make_many(frames, (10.0, 0.0, 2.5, 5.0, 7.5)), tmp_path / "scan" / "all.dcm")
    file = check_round_trip(read_volume(tmp_path / "scan"), tmp_path / "a.rtstruct.dcm")
    numbers = [
        contour.ContourImageSequence[0].ReferencedFrameNumber
        for contour in file.ROIContourSequence[0].ContourSequence
    ]
    assert numbers == [3, 3, 3, 4, 4, 4, 5, 5, 5, 1, 1, 1]


def test_a_series_in_an_archive(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> None:
    folder = make_series(image_voxels(), oblique)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    check_round_trip(read_volume(tmp_path / "scan.zip"), tmp_path / "a.rtstruct.dcm")


def test_what_a_structure_set_says(make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path) -> None:
    folder = make_series(image_voxels(), oblique, PatientName="Anna^A", StudyID="17")
    details = LabelDetails("AUTOMATIC", "1.2", (parse_code("not here=T-62000"),))
    file = check_round_trip(read_volume(folder), tmp_path / "a.rtstruct.dcm", details)
    assert (file.PatientName, file.StudyID, file.StudyInstanceUID) == ("Anna^A", "17", "1.2.3")
    assert (file.Modality, file.SoftwareVersions) == ("RTSTRUCT", "1.2")
    assert {each.ROIGenerationAlgorithm for each in file.StructureSetROISequence} == {"AUTOMATIC"}
    codes = [each.get("RTROIIdentificationCodeSequence") for each in file.RTROIObservationsSequence]
    assert [each and each[0].CodeValue for each in codes] == ["18639004", "10200004", None]
    (frame,) = file.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    slices = [pydicom.dcmread(path).SOPInstanceUID for path in sorted(folder.iterdir())]
    assert (frame.FrameOfReferenceUID, series.SeriesInstanceUID) == ("1.2.3.99", "1.2.3.4")
    assert [each.ReferencedSOPInstanceUID for each in series.ContourImageSequence] == slices
    contours = file.ROIContourSequence[0].ContourSequence
    drawn_on = [each.ContourImageSequence[0].ReferencedSOPInstanceUID for each in contours]
    assert drawn_on == np.repeat(slices[1:], 3).tolist()


def test_each_contour_is_less_than_half_a_pixel_off_what_was_drawn(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path
) -> None:
    """An ellipse is drawn, voxels are labeled, contours are written: the points lie on the ellipse again."""
    volume = read_volume(make_series(image_voxels((61, 53, 3)), oblique))
    center, radii = np.array([30.2, 26.7]), np.array([22.3, 17.1])
    x, y = np.ogrid[:61, :53]
    inside = ((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2 <= 1
    voxels = np.repeat(inside[..., np.newaxis], 3, axis=2).astype(np.uint8)
    path = tmp_path / "a.rtstruct.dcm"
    write_labels(LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "a", (0, 0, 0)),)), path, like=volume)
    to_voxels = np.linalg.inv(swap_ras_lps(volume.affine_ras_mm))
    contours = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    assert len(contours) == 3
    for k, contour in enumerate(contours):
        points = apply_affine(to_voxels, np.reshape(np.array(contour.ContourData, float), (-1, 3)))
        np.testing.assert_allclose(points[:, 2], k, atol=1e-3)
        place = (points[:, :2] - center) / radii
        level = np.linalg.norm(place, axis=1)  # 1 on the ellipse
        off = np.abs(level - 1) * level / np.linalg.norm(place / radii, axis=1)
        assert off.max() < 0.5
    np.testing.assert_array_equal(read_labels(path, like=volume.grid).voxels, voxels)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rt-utils is written for pydicom 2
def test_rt_utils_reads_the_same_masks(make_series: SeriesMaker, tmp_path: Path) -> None:
    """A disk with a hole. rt-utils fills beyond pixel centers, so its masks are up to half a pixel larger."""
    rt_utils = pytest.importorskip("rt_utils", reason="rt-utils is not installed")
    folder = make_series(image_voxels((64, 64, 4)), np.diag([-0.6, -0.6, 2.5, 1.0]))
    volume = read_volume(folder)
    x, y = np.ogrid[:64, :64]
    distance = np.hypot(x - 31.5, y - 31.5)
    voxels = np.zeros(volume.shape, np.uint8)
    voxels[(distance < 27) & (distance > 9), 1:3] = 1
    path = tmp_path / "a.rtstruct.dcm"
    write_labels(LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "a", (0, 0, 0)),)), path, like=volume)
    structures = rt_utils.RTStructBuilder.create_from(str(folder), str(path))
    assert structures.get_roi_names() == ["a"]
    found = np.swapaxes(structures.get_roi_mask_by_name("a"), 0, 1)
    assert found[:, :, [0, 3]].sum() == 0
    assert 2 * (found & (voxels > 0)).sum() / (found.sum() + voxels.sum()) > 0.97


def test_a_long_contour_is_written_whole(make_series: SeriesMaker, tmp_path: Path) -> None:
    """A comb's outline exceeds the 64 KB that an element with an explicit type may have."""
    volume = read_volume(make_series(image_voxels((90, 90, 1)), np.diag([-123.4567, -123.4567, 2.5, 1.0])))
    voxels = np.zeros(volume.shape, np.uint8)
    voxels[::2], voxels[:, 0] = 1, 1
    path = tmp_path / "a.rtstruct.dcm"
    write_labels(LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "a", (0, 0, 0)),)), path, like=volume)
    (contour,) = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    assert sum(len(str(part)) + 1 for part in contour.ContourData) > 1 << 16
    np.testing.assert_array_equal(read_labels(path, like=volume.grid).voxels, voxels)


def test_outlines_hold_the_centers_of_exactly_their_pixels() -> None:
    rng = np.random.default_rng(3)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        mask = rng.random((9, 14)) < share
        np.testing.assert_array_equal(fill_polygons(outlines_of(mask), mask.shape), mask)


def test_labels_of_other_volumes_are_refused(tmp_path: Path) -> None:
    volume = Volume(image_voxels(), np.eye(4), path=Path("scan.nii"))
    with pytest.raises(OutputError, match=r"scan.nii is not a DICOM series, and an RTSTRUCT refers to one"):
        write_labels(labels_on(volume), tmp_path / "a.rtstruct.dcm", like=volume)
    assert not list(tmp_path.iterdir())


def test_a_series_with_empty_uids_is_refused(
    make_series: SeriesMaker, oblique: np.ndarray, tmp_path: Path
) -> None:
    volume = read_volume(make_series(image_voxels(), oblique, FrameOfReferenceUID=""))
    with pytest.raises(OutputError, match=r"an RTSTRUCT refers to .* no FrameOfReferenceUID; use .nii.gz"):
        write_labels(labels_on(volume), tmp_path / "a.rtstruct.dcm", like=volume)
