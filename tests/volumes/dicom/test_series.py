"""DICOM: a folder gives one even series, or an error that states where it is not even."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.series import find_series
from sammed_volumes.dicom.stack import sort_frames
from sammed_volumes.errors import SeriesError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume
from tests.volumes.conftest import DicomMaker

SHUFFLED = (7.5, 0.0, 2.5, 10.0, 5.0)


def patch(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def test_slices_are_sorted_by_position(dicom: DicomMaker) -> None:
    volume = read_volume(dicom(SHUFFLED))
    assert volume.shape == (7, 5, 5)
    # Each slice contains its number in the order of writing.
    assert volume.voxels[0, 0].tolist() == [1, 2, 4, 0, 3]
    assert volume.voxels.dtype == np.int16
    assert volume.modality == "CT"


def test_one_file_without_a_suffix_stands_for_its_series(dicom: DicomMaker) -> None:
    folder = dicom(SHUFFLED)
    whole = read_volume(folder)
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"IM{number}")
    found = read_volume(folder / "IM2")
    np.testing.assert_array_equal(found.voxels, whole.voxels)
    assert found.notes == ("it has no suffix, but it is a DICOM file", *whole.notes)
    (folder / "IM2").rename(folder / "1.2.840.7")
    assert read_volume(folder / "1.2.840.7").notes[0] == "its suffix is .7, but it is a DICOM file"


def test_it_agrees_with_itk(dicom: DicomMaker) -> None:
    pages = np.random.default_rng(0).integers(0, 3000, (5, 5, 7)).astype(np.int16)
    folder = dicom(SHUFFLED, values=pages)
    volume = read_volume(folder)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(volume.voxels, SimpleITK.GetArrayFromImage(image).T)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine_ras_mm
    np.testing.assert_allclose(lps[:3, 3], image.GetOrigin())
    np.testing.assert_allclose(volume.spacing_mm, image.GetSpacing())
    np.testing.assert_allclose(lps[:3, :3] / volume.spacing_mm, np.reshape(image.GetDirection(), (3, 3)))


def test_a_coronal_series(dicom: DicomMaker) -> None:
    """Rows run left and columns down, so the normal points to posterior, the direction of the slices."""
    folder = dicom((0.0, 0.0, 0.0), orientation=r"1\0\0\0\0\-1", shift_mm=(0.0, -3.0))
    volume = read_volume(folder)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine_ras_mm
    np.testing.assert_allclose(lps[:3, :3], [[0.5, 0, 0], [0, 0, 3.0], [0, -0.6, 0]], atol=1e-12)
    assert volume.voxels[0, 0].tolist() == [2, 1, 0]


def test_a_tilted_gantry_is_a_sheared_affine(dicom: DicomMaker) -> None:
    volume = read_volume(dicom((0.0, 2.5, 5.0), shift_mm=(0.0, 0.7)))
    np.testing.assert_allclose(volume.affine_ras_mm[:3, 2], (0.0, -0.7, 2.5))


def test_a_fractional_rescaling_gives_float32(dicom: DicomMaker) -> None:
    folder = dicom((0.0, 2.5), rescale=("1", "0"))
    for path in folder.iterdir():  # ITK writes whole slopes only: change (0028,1053) in the file
        patch(path, b"\x28\0\x53\x10\2\0\0\x001 ", b"\x28\0\x53\x10\2\0\0\0.5")
    volume = read_volume(folder)
    assert volume.voxels.dtype == np.float32
    assert volume.voxels[0, 0].tolist() == [0.0, 0.5]


def test_one_slice_is_a_volume(dicom: DicomMaker) -> None:
    volume = read_volume(dicom((4.0,)))
    assert volume.shape == (7, 5, 1)
    assert volume.spacing_mm == pytest.approx((0.5, 0.6, 2.5))


def test_rounded_positions_are_even(dicom: DicomMaker) -> None:
    """0.625 mm written with one decimal: gaps of 0.6 and 0.7."""
    volume = read_volume(dicom([round(0.625 * k, 1) for k in range(9)]))
    assert volume.spacing_mm[2] == pytest.approx(0.625)


def test_other_files_are_skipped(dicom: DicomMaker) -> None:
    folder = dicom((0.0, 2.5))
    (folder / "Befund.txt").write_text("unauffällig", encoding="utf-8")
    (folder / "leer").touch()
    (folder / ".DS_Store").write_bytes(b"x" * 500)
    (folder / "unterordner").mkdir()
    # A structured report: DICOM, but not an image.
    (folder / "report.dcm").write_bytes(
        b"\0" * 128 + b"DICM" + b"..1.2.840.10008.5.1.4.1.1.88.11\0" + b"\0" * 200
    )
    assert read_volume(folder).shape == (7, 5, 2)


@pytest.fixture
def two_series(dicom: DicomMaker) -> Path:
    dicom((0.0, 2.5, 5.0), series="1.2.3.9", description="Thorax nativ", number="2")
    return dicom((0.0, 1.0), series="1.2.3.4", description="Lungenkern B60", number="10")


def test_several_series_are_listed(two_series: Path) -> None:
    with pytest.raises(SeriesError) as error:
        read_volume(two_series)
    text = str(error.value)
    assert "it contains 2 series (series 2: CT Thorax nativ, 3 slices, UID 1.2.3.9; series 10: CT" in text
    assert (
        "Lungenkern B60, 2 slices, UID 1.2.3.4); choose one with --series by its series number or its UID."
        in text
    )


@pytest.mark.parametrize(
    ("series", "count"), [("1.2.3.9", 3), ("2", 3), ("2.1", 3), ("02", 3), ("1.2.3.4", 2), ("10", 2)]
)
def test_a_series_is_chosen_by_uid_or_number(two_series: Path, series: str, count: int) -> None:
    assert read_volume(two_series, series=series).shape[2] == count


def test_an_unknown_series_lists_those_that_exist(two_series: Path) -> None:
    with pytest.raises(
        SeriesError,
        match=r"\(series 2: CT Thorax nativ.*; there is no series '3': choose one with --series",
    ):
        read_volume(two_series, series="3")


def test_series_that_share_a_number_are_chosen_by_uid(dicom: DicomMaker) -> None:
    dicom((0.0, 2.5, 5.0), series="1.2.3.9", number="4")
    dicom((0.0, 1.0), series="1.2.3.4", number="4")
    folder = dicom((0.0, 1.0, 2.0, 3.0), series="1.2.3.7", number="5")
    with pytest.raises(
        SeriesError,
        match=r"\(UID 1.2.3.4: CT Thorax, 2 slices, series number 4; UID 1.2.3.9: CT Thorax, 3 slices, "
        r"series number 4; series 5: CT Thorax, 4 slices, UID 1.2.3.7\); there is no series '4': choose one",
    ):
        read_volume(folder, series="4")
    assert read_volume(folder, series="1.2.3.9").shape[2] == 3
    assert read_volume(folder, series="1.2.3.9:1").shape[2] == 3
    assert read_volume(folder, series="5").shape[2] == 4


def test_a_series_without_a_number_that_is_alone_is_number_one(dicom: DicomMaker) -> None:
    dicom((0.0, 2.5), names=("a.dcm", "b.dcm"), number="")
    folder = dicom((5.0, 7.5, 10.0), size=(9, 5), names=("c.dcm", "d.dcm", "e.dcm"), number="")
    with pytest.raises(SeriesError, match=r"such as --series 1.1\.$"):
        read_volume(folder)
    assert read_volume(folder, series="1.2").shape == (9, 5, 3)


def test_a_missing_slice_is_named(dicom: DicomMaker) -> None:
    with pytest.raises(SeriesError) as error:
        read_volume(dicom((0.0, 2.5, 5.0, 10.0, 12.5)))
    text = str(error.value)
    assert "1 slice is missing between 1.2.3.4-02.dcm (at 5 mm) and 1.2.3.4-03.dcm (at 10 mm)" in text
    assert "they are 5 mm apart, most are 2.5 mm; complete the series" in text


def test_several_missing_slices_are_counted(dicom: DicomMaker) -> None:
    with pytest.raises(SeriesError, match=r"3 slices are missing between .*, and 1 more gap differs;"):
        read_volume(dicom((0.0, 1.0, 2.0, 3.0, 7.0, 8.0, 10.0, 11.0)))


def test_uneven_slices_are_named(dicom: DicomMaker) -> None:
    with pytest.raises(
        SeriesError,
        match=r"its slices are not evenly spaced between .*-02.dcm \(at 2 mm\) and .*\(at 3.3 mm\)",
    ):
        read_volume(dicom((0.0, 1.0, 2.0, 3.3, 4.3, 5.3)))


def test_two_slices_at_the_same_position_are_named(dicom: DicomMaker) -> None:
    with pytest.raises(SeriesError, match=r"two of its slices have the same position, .*-01.dcm .*-02.dcm"):
        read_volume(dicom((0.0, 2.5, 2.5, 5.0)))


def test_a_slice_of_another_size_is_set_aside(dicom: DicomMaker) -> None:
    dicom((0.0, 2.5), names=("a.dcm", "b.dcm"))
    folder = dicom((5.0,), size=(9, 5), names=("c.dcm",))
    volume = read_volume(folder)
    assert volume.shape == (7, 5, 2)
    assert volume.notes == ("c.dcm set aside: 9 x 5 pixels; read it with --series 1.2",)
    assert read_volume(folder, series="1.2").shape == (9, 5, 1)


def test_a_scout_view_is_set_aside(dicom: DicomMaker) -> None:
    dicom((0.0, 2.5), names=("a.dcm", "b.dcm"))
    folder = dicom((5.0,), orientation=r"1\0\0\0\0\-1", names=("scout.dcm",))
    volume = read_volume(folder)
    assert volume.shape == (7, 5, 2)
    assert volume.notes == ("scout.dcm set aside: coronal slices; read it with --series 1.2",)


def test_kinds_of_slices_of_which_none_is_odd_are_listed(dicom: DicomMaker) -> None:
    dicom((0.0, 2.5), names=("a.dcm", "b.dcm"))
    folder = dicom((5.0, 7.5), size=(9, 5), names=("c.dcm", "d.dcm"))
    with pytest.raises(
        SeriesError,
        match=r"it contains one series with 2 sub-volumes \(series 1: CT Thorax, 4 slices, UID 1.2.3.4: "
        r"1.1 \(7 x 5 pixels, 2 slices\), 1.2 \(9 x 5 pixels, 2 slices\)\); "
        r"choose a sub-volume with --series, such as --series 1.1\.$",
    ):
        read_volume(folder)
    assert read_volume(folder, series="1.1").shape == (7, 5, 2)
    assert read_volume(folder, series="1.2.3.4:2").shape == (9, 5, 2)


def test_a_slice_off_the_line_is_named() -> None:
    def at(x: float, z: float) -> DicomFrame:
        place = (float(x), 0.0, float(z))
        return DicomFrame(
            path=Path(f"{z}.dcm"),
            series="1",
            number="1",
            description="",
            modality="MR",
            shape=(3, 3),
            position_lps_mm=place,
            x_direction_lps=(1.0, 0.0, 0.0),
            y_direction_lps=(0.0, 1.0, 0.0),
            pixel_spacing_mm=(1.0, 1.0),
            thickness_mm=1.0,
        )

    with pytest.raises(SeriesError, match=r"its slices are not on one line: 1.dcm is 6 mm off;"):
        sort_frames([at(0, 0), at(6, 1), at(0, 2)])
    np.testing.assert_allclose(sort_frames([at(0, 2), at(0, 0), at(0, 1)]).affine_ras_mm[:3, 3], (0, 0, 0))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
def test_a_file_cut_short_is_named(dicom: DicomMaker, capfd: pytest.CaptureFixture[str], part: float) -> None:
    folder = dicom((0.0, 2.5, 5.0))
    broken = folder / "1.2.3.4-02.dcm"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UnreadableVolumeError, match=r"its file 1.2.3.4-02.dcm is cut short or damaged"):
        read_volume(folder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 100])
@pytest.mark.parametrize("place", [0, 2])
def test_a_file_cut_before_its_mark_is_no_other_file(dicom: DicomMaker, place: int, size: int) -> None:
    """At either end of the stack it would be a slice less, with no gap that tells."""
    folder = dicom((0.0, 2.5, 5.0))
    broken = folder / f"1.2.3.4-0{place}.dcm"
    broken.write_bytes(broken.read_bytes()[:size])
    with pytest.raises(UnreadableVolumeError, match=rf"its file {broken.name} is cut short or damaged"):
        read_volume(folder)


def test_a_folder_without_images(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UnreadableVolumeError, match="it contains no DICOM images"):
        read_volume(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_color_is_refused(tmp_path: Path) -> None:
    rgb = SimpleITK.GetImageFromArray(np.zeros((1, 5, 7, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(rgb, str(tmp_path / "screen.dcm"))
    with pytest.raises(UnsupportedVolumeError, match=r"screen.dcm is a color picture"):
        read_volume(tmp_path)


def test_frames_without_places_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cine.dcm"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((4, 5, 7), np.uint8)), str(path))
    cine = pydicom.dcmread(path)
    del cine.PerFrameFunctionalGroupsSequence
    cine.save_as(path)
    with pytest.raises(UnsupportedVolumeError, match=r"cine.dcm contains several frames without positions"):
        read_volume(tmp_path)


def test_a_slice_without_a_position_is_refused(dicom: DicomMaker) -> None:
    folder = dicom((0.0,), names=("capture.dcm",))
    patch(folder / "capture.dcm", b"\x20\0\x32\0", b"\x20\0\x33\0")  # (0020,0032) becomes another tag
    with pytest.raises(UnsupportedVolumeError, match=r"capture.dcm has no position in the patient"):
        read_volume(folder)


def test_itks_warnings_are_enabled_again_afterwards(dicom: DicomMaker) -> None:
    before = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    read_volume(dicom((0.0, 2.5)))
    assert SimpleITK.ProcessObject.GetGlobalWarningDisplay() == before


def test_labels_are_written_on_a_series(dicom: DicomMaker, tmp_path: Path) -> None:
    like = read_volume(dicom(SHUFFLED))
    voxels = np.zeros(like.shape, np.uint8)
    voxels[1:3, 1:3, 1:3] = 1
    labels = LabelVolume(voxels, like.affine_ras_mm, (Label(1, "lung", (1, 2, 3)),))
    write_labels(labels, tmp_path / "labels.mha", like=like)
    image = SimpleITK.ReadImage(str(tmp_path / "labels.mha"))
    assert image.GetOrigin() == (10.0, 20.0, 0.0)
    assert image.GetSpacing() == pytest.approx((0.5, 0.6, 2.5))
    assert like.path is not None
    shutil.rmtree(like.path)
    assert image.GetSize() == like.shape


def test_the_series_of_a_folder_are_found_by_their_tags(dicom: DicomMaker) -> None:
    """File names don't matter; files that are not DICOM images are skipped."""
    dicom((0.0, 2.5), series="1.2.9", number="12", description="Leber", names=["a.dcm", "c.dcm"])
    folder = dicom((0.0, 2.5), series="1.2.3", number="2", names=["b.dcm", "d.dcm"])
    for name in ("a", "b", "d"):
        (folder / f"{name}.dcm").rename(folder / name)
    (folder / "notes.txt").write_text("nothing")
    found = find_series(folder)
    assert [(each.uid, each.number, each.description) for each in found] == [
        ("1.2.3", "2", "Thorax"),
        ("1.2.9", "12", "Leber"),
    ]
    assert read_volume(folder, series=found[1].uid).shape == (7, 5, 2)


def test_a_damaged_folder_is_found_so_that_reading_reports_it(dicom: DicomMaker, tmp_path: Path) -> None:
    folder = dicom((0.0,), names=["only.dcm"])
    whole = (folder / "only.dcm").read_bytes()
    (folder / "only.dcm").write_bytes(whole[:200])
    assert [each.uid for each in find_series(folder)] == [""]
    (tmp_path / "empty").mkdir()
    assert find_series(tmp_path / "empty") == ()


def test_a_color_picture_does_not_spoil_the_series_beside_it(dicom: DicomMaker) -> None:
    folder = dicom((0.0, 2.5), series="1.2.3")
    picture = SimpleITK.GetImageFromArray(np.zeros((1, 5, 7, 3), np.uint8), isVector=True)
    picture.SetMetaData("0020|000e", "1.2.77")
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(folder / "report.dcm"))
    writer.Execute(picture)
    (found,) = find_series(folder)
    assert read_volume(folder, series=found.uid).shape == (7, 5, 2)
    (note,) = read_volume(folder).notes
    assert note == "set aside: its file report.dcm is a color picture"
