"""Formats: reading returns what was written, and a label volume is exactly on the input's grid."""

import json
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK
import slicerio

from sammed_volumes.errors import GeometryMismatchError, LabelError, OutputError, UnreadableVolumeError
from sammed_volumes.formats import (
    LABEL_SUFFIXES,
    VOLUME_SUFFIXES,
    read_labels,
    read_volume,
    sidecar_path,
    strip_suffix,
    suffix_of,
    write_labels,
)
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume
from tests.volumes.conftest import Save

VOLUME_FILES = ("scan.nii", "scan.nii.gz", "scan.nrrd", "scan.nhdr", "scan.mha", "scan.mhd")
ODD_FOLDER = "Aufnahmen von Jörg Müller (2)"

# Rotated obliquely and flipped, with spacings and an origin that float32 can't represent.
OBLIQUE = np.array(
    [
        [-0.69314718, 0.1234567, 0.0, 101.7],
        [0.1301337, 0.65759847, 0.2, -133.3],
        [0.02, -0.06, 2.4916, 40.123456789],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def nifti(path: Path) -> Any:
    """Load a NIfTI file with nibabel, whose `load` declares a type without these members."""
    return nibabel.load(path)


def orthogonal(affine: np.ndarray) -> np.ndarray:
    """Return the nearest affine without shear, which NIfTI's qform and ITK's direction can represent."""
    u, _, v = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    straight = affine.copy()
    straight[:3, :3] = (u @ v) * np.linalg.norm(affine[:3, :3], axis=0)
    return straight


@pytest.fixture
def scan() -> Volume:
    """An oblique volume whose voxels all differ."""
    voxels = np.arange(7 * 11 * 5, dtype=np.int16).reshape(7, 11, 5) - 100
    return Volume(voxels, orthogonal(OBLIQUE))


@pytest.fixture
def organs(scan: Volume) -> LabelVolume:
    voxels = np.zeros(scan.shape, dtype=np.uint8)
    voxels[1:3, 2:7, 1:4] = 1
    voxels[4:6, 1:4, 2:5] = 5
    named = (Label(1, "Leber (ganz)", (220, 40, 60)), Label(5, "Gefäß", (10, 200, 30)))
    return LabelVolume(voxels, scan.affine_ras_mm, named)


@pytest.mark.parametrize("name", VOLUME_FILES)
def test_files_of_other_programs_are_read_unchanged(
    scan: Volume, save: Save, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / ODD_FOLDER
    folder.mkdir()
    volume = read_volume(save(scan, folder / f"Bauch ä {name}"))
    np.testing.assert_array_equal(volume.voxels, scan.voxels)
    assert volume.voxels.dtype == np.int16
    # nibabel and ITK write float32 into NIfTI; the other formats store float64.
    tolerance = 2e-5 if ".nii" in name else 1e-9
    np.testing.assert_allclose(volume.affine_ras_mm, scan.affine_ras_mm, atol=tolerance)
    np.testing.assert_allclose(volume.spacing_mm, scan.spacing_mm, atol=1e-6)


def test_a_suffix_in_capitals_is_recognized(scan: Volume, save: Save, tmp_path: Path) -> None:
    for name in ("scan.nii.gz", "scan.nrrd", "scan.mha"):
        small = save(scan, tmp_path / name)
        capitals = tmp_path / name.upper().replace("SCAN", "Scan2")
        small.rename(capitals)
        np.testing.assert_array_equal(read_volume(capitals).voxels, scan.voxels)


@pytest.mark.parametrize("source", VOLUME_FILES)
@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_labels_are_on_the_grid_of_the_input(
    scan: Volume, organs: LabelVolume, save: Save, tmp_path: Path, source: str, suffix: str
) -> None:
    """From each format to each format: the same values and names, and the same grid to 1e-5 mm."""
    like = read_volume(save(scan, tmp_path / source))
    path = tmp_path / f"Maske ü{suffix}"
    labels = LabelVolume(organs.voxels, like.affine_ras_mm, organs.labels)
    written = write_labels(labels, path, like=like)
    again = read_labels(path)
    np.testing.assert_array_equal(again.voxels, organs.voxels)
    assert again.voxels.dtype == np.uint8
    assert again.labels == organs.labels
    np.testing.assert_allclose(again.affine_ras_mm, like.affine_ras_mm, rtol=0, atol=1e-5)
    assert written == ((path,) if "nrrd" in suffix else (path, tmp_path / "Maske ü.json"))
    assert sorted(each.name for each in tmp_path.glob(".*")) == [], "a temporary file is left"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha"])
def test_itk_sees_the_labels_on_the_image(
    scan: Volume, organs: LabelVolume, save: Save, tmp_path: Path, suffix: str
) -> None:
    image_path = save(scan, tmp_path / "scan.mha")
    path = tmp_path / f"labels{suffix}"
    write_labels(organs, path, like=read_volume(image_path))
    image, labels = SimpleITK.ReadImage(str(image_path)), SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayViewFromImage(labels).T, organs.voxels)
    assert labels.GetSize() == image.GetSize()
    np.testing.assert_allclose(labels.GetOrigin(), image.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(labels.GetSpacing(), image.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(labels.GetDirection(), image.GetDirection(), atol=1e-5)


def test_mha_to_mha_is_bit_for_bit(scan: Volume, organs: LabelVolume, save: Save, tmp_path: Path) -> None:
    image_path = save(scan, tmp_path / "scan.mha")
    write_labels(organs, tmp_path / "labels.mha", like=read_volume(image_path))
    image, labels = (SimpleITK.ReadImage(str(path)) for path in (image_path, tmp_path / "labels.mha"))
    assert labels.GetOrigin() == image.GetOrigin()
    assert labels.GetSpacing() == image.GetSpacing()
    assert labels.GetDirection() == image.GetDirection()


@pytest.mark.parametrize("suffix", [".nrrd", ".seg.nrrd"])
def test_nrrd_to_nrrd_is_bit_for_bit(organs: LabelVolume, tmp_path: Path, suffix: str) -> None:
    header = {
        "space": "right-anterior-superior",
        "space directions": OBLIQUE[:3, :3].T,
        "space origin": OBLIQUE[:3, 3],
        "space units": ["mm", "mm", "mm"],
        "measurement frame": np.eye(3),
        "kinds": ["domain"] * 3,
    }
    image_path = tmp_path / "scan.nrrd"
    nrrd_write(image_path, np.zeros(organs.shape, np.int16), header)
    like = read_volume(image_path)
    write_labels(
        LabelVolume(organs.voxels, like.affine_ras_mm, organs.labels), tmp_path / f"l{suffix}", like=like
    )
    before, after = nrrd.read_header(str(image_path)), nrrd.read_header(str(tmp_path / f"l{suffix}"))
    for field in (
        "space",
        "space directions",
        "space origin",
        "space units",
        "measurement frame",
        "kinds",
        "sizes",
    ):
        np.testing.assert_array_equal(after[field], before[field], err_msg=field)
    assert (tmp_path / f"l{suffix}").read_bytes().count(b"\nspace directions: ") == 1


def nrrd_write(path: Path, voxels: np.ndarray, header: dict[str, Any]) -> None:
    """Write with pynrrd, whose call for the date makes newer Pythons warn."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        nrrd.write(str(path), voxels, header)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("image_class", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(
    ("qform_code", "sform_code"),
    [
        pytest.param(1, 2, id="both, with codes of their own"),
        pytest.param(1, 0, id="qform alone"),
        pytest.param(0, 4, id="sform alone"),
        pytest.param(0, 0, id="neither"),
    ],
)
def test_nifti_to_nifti_is_bit_for_bit(
    organs: LabelVolume, tmp_path: Path, suffix: str, image_class: Any, qform_code: int, sform_code: int
) -> None:
    header = image_class.header_class()
    header.set_data_shape(organs.shape)
    header.set_data_dtype(np.int16)
    header.set_zooms((0.7, 0.67, 2.5))
    header.set_qform(orthogonal(OBLIQUE), qform_code)
    header.set_sform(OBLIQUE, sform_code)  # deliberately not the qform
    header.set_xyzt_units("mm", "sec")
    header["descrip"] = b"TE=2.1;echo 3"
    header["cal_max"], header["cal_min"], header["scl_slope"], header["scl_inter"] = 250, -150, 2, -1024
    header["intent_code"] = 1006
    image_path = tmp_path / "scan.nii.gz"
    nibabel.save(image_class(np.zeros(organs.shape, np.int16), None, header), image_path)
    like = read_volume(image_path)
    path = tmp_path / f"labels{suffix}"
    write_labels(LabelVolume(organs.voxels, like.affine_ras_mm, organs.labels), path, like=like)

    before, after = nifti(image_path).header, nifti(path).header
    assert type(after) is type(before)
    quaternion = "quatern_b quatern_c quatern_d qoffset_x qoffset_y qoffset_z"
    kept = f"dim pixdim qform_code sform_code {quaternion} srow_x srow_y srow_z xyzt_units toffset descrip"
    for field in kept.split():
        assert after[field].tobytes() == before[field].tobytes(), field
    assert after.get_data_dtype() == np.uint8
    assert (after["cal_min"], after["cal_max"]) == (0, 0)
    # nibabel clears the scaling in a header that it loads; the array keeps it.
    assert (nifti(path).dataobj.slope, nifti(path).dataobj.inter) == (1, 0)
    assert after["intent_code"] == 0
    np.testing.assert_array_equal(np.asanyarray(nifti(path).dataobj), organs.voxels)


def test_a_big_endian_nifti_keeps_its_geometry(organs: LabelVolume, tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_shape(organs.shape)
    header.set_data_dtype(np.int16)
    header.set_sform(OBLIQUE, 2)
    voxels = np.arange(np.prod(organs.shape), dtype=np.int16).reshape(organs.shape)
    nibabel.save(nibabel.Nifti1Image(voxels, None, header), tmp_path / "big.nii")
    like = read_volume(tmp_path / "big.nii")
    np.testing.assert_array_equal(like.voxels, voxels)
    assert like.values(like.voxels[0]).dtype == np.dtype("=f4")
    labels = LabelVolume(organs.voxels, like.affine_ras_mm, organs.labels)
    write_labels(labels, tmp_path / "labels.nii", like=like)
    np.testing.assert_array_equal(nifti(tmp_path / "labels.nii").affine, nifti(tmp_path / "big.nii").affine)


@pytest.mark.parametrize("shape", [(7, 11), (7, 11, 5, 1), (7, 1, 5), (7, 11, 1)], ids=str)
def test_a_nifti_keeps_its_own_number_of_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nibabel.save(
        nibabel.Nifti1Image(np.ones(shape, np.uint8), np.diag([2.0, 3.0, 4.0, 1.0])), tmp_path / "a.nii.gz"
    )
    like = read_volume(tmp_path / "a.nii.gz")
    assert like.voxels.ndim == 3
    labels = LabelVolume(np.ones(like.shape, np.uint8), like.affine_ras_mm, (Label(1, "all", (1, 2, 3)),))
    write_labels(labels, tmp_path / "labels.nii.gz", like=like)
    assert nifti(tmp_path / "labels.nii.gz").shape == shape
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.nii.gz").voxels, labels.voxels)


def test_a_far_origin_stays_a_nifti_1(organs: LabelVolume, tmp_path: Path) -> None:
    """NIfTI-2 would be more precise, but ITK, and so Slicer, can't read it."""
    far = orthogonal(OBLIQUE)
    far[:3, 3] = (-512.3, 300.7, -1203.6)
    labels = LabelVolume(organs.voxels, far, organs.labels)
    write_labels(labels, tmp_path / "labels.nii.gz", like=Volume(organs.voxels, far))
    np.testing.assert_array_equal(nifti(tmp_path / "labels.nii.gz").affine[:3], far[:3].astype(np.float32))
    np.testing.assert_allclose(
        SimpleITK.ReadImage(str(tmp_path / "labels.nii.gz")).GetOrigin()[2], -1203.6, atol=1e-4
    )


def test_an_axis_beyond_16_bits_makes_a_nifti_2(tmp_path: Path) -> None:
    voxels = np.ones((33000, 1, 2), dtype=np.uint8)
    labels = LabelVolume(voxels, np.eye(4), (Label(1, "all", (1, 2, 3)),))
    write_labels(labels, tmp_path / "labels.nii.gz", like=Volume(voxels, np.eye(4)))
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.nii.gz").voxels, voxels)


def test_shear_reaches_nifti_and_nrrd(organs: LabelVolume, tmp_path: Path) -> None:
    """A qform can't represent a tilted gantry; sform and NRRD can."""
    for suffix in (".nii.gz", ".seg.nrrd"):
        path = tmp_path / f"labels{suffix}"
        write_labels(
            LabelVolume(organs.voxels, OBLIQUE, organs.labels), path, like=Volume(organs.voxels, OBLIQUE)
        )
        np.testing.assert_allclose(read_labels(path).affine_ras_mm, OBLIQUE, rtol=0, atol=1e-5)
    assert nifti(tmp_path / "labels.nii.gz").header["qform_code"] == 0


@pytest.mark.parametrize(
    ("highest", "dtype"),
    [(1, "uint8"), (255, "uint8"), (256, "uint16"), (65535, "uint16"), (65536, "uint32")],
)
@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_the_smallest_type_that_holds_the_labels(
    tmp_path: Path, highest: int, dtype: str, suffix: str
) -> None:
    voxels = np.zeros((3, 5, 7), dtype=np.uint64)
    voxels[1, 2, 3] = highest
    volume = Volume(voxels.astype(np.uint8), np.eye(4))
    labels = LabelVolume(voxels, np.eye(4), (Label(highest, "highest", (1, 2, 3)),))
    write_labels(labels, tmp_path / f"labels{suffix}", like=volume)
    again = read_labels(tmp_path / f"labels{suffix}")
    assert again.voxels.dtype == dtype
    assert again.voxel_counts() == {highest: 1}


def test_the_same_labels_give_the_same_bytes(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    for suffix in LABEL_SUFFIXES:
        first, second = tmp_path / "first", tmp_path / "second"
        for folder in (first, second):
            folder.mkdir(exist_ok=True)
            write_labels(organs, folder / f"labels{suffix}", like=scan, overwrite=True)
        if suffix != ".nii.gz":  # gzip stores the time
            assert (first / f"labels{suffix}").read_bytes() == (second / f"labels{suffix}").read_bytes()


def test_slicerio_reads_our_segments(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    plain = tuple(Label(each.value, f"organ {each.value}", each.color_rgb) for each in organs.labels)
    path = tmp_path / "labels.seg.nrrd"
    write_labels(LabelVolume(organs.voxels, organs.affine_ras_mm, plain), path, like=scan)
    segmentation = slicerio.read_segmentation(str(path))
    assert slicerio.segment_names(segmentation) == ["organ 1", "organ 5"]
    assert [each["labelValue"] for each in segmentation["segments"]] == [1, 5]
    np.testing.assert_array_equal(segmentation["voxels"], organs.voxels)
    np.testing.assert_allclose(segmentation["ijkToLPS"], np.diag([-1, -1, 1, 1]) @ scan.affine_ras_mm)


def test_names_fall_back_to_the_values(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    write_labels(organs, tmp_path / "labels.nii.gz", like=scan)
    (tmp_path / "labels.json").unlink()
    labels = read_labels(tmp_path / "labels.nii.gz").labels
    assert [label.name for label in labels] == ["label_1", "label_5"]
    assert labels[0].color_rgb != labels[1].color_rgb


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".nrrd", ".mha"])
def test_a_named_label_without_voxels_is_kept(
    scan: Volume, organs: LabelVolume, tmp_path: Path, suffix: str
) -> None:
    more = (*organs.labels, Label(7, "spleen", (9, 9, 9)))
    write_labels(LabelVolume(organs.voxels, organs.affine_ras_mm, more), tmp_path / f"l{suffix}", like=scan)
    again = read_labels(tmp_path / f"l{suffix}")
    assert again.labels == more
    assert again.voxel_counts()[7] == 0


def test_an_empty_label_volume_is_read(scan: Volume, tmp_path: Path) -> None:
    nothing = LabelVolume(np.zeros(scan.shape, np.uint8), scan.affine_ras_mm, ())
    write_labels(nothing, tmp_path / "labels.nii.gz", like=scan)
    again = read_labels(tmp_path / "labels.nii.gz")
    assert again.is_empty
    assert again.labels == ()


def test_a_json_file_of_another_program_is_left_alone(
    scan: Volume, organs: LabelVolume, tmp_path: Path
) -> None:
    bids = tmp_path / "labels.json"
    bids.write_text(json.dumps({"EchoTime": 0.002}))
    with pytest.raises(OutputError, match=r"labels\.json already exists"):
        write_labels(organs, tmp_path / "labels.nii.gz", like=scan)
    with pytest.raises(OutputError, match=r"labels\.json is not a list of label names"):
        write_labels(organs, tmp_path / "labels.nii.gz", like=scan, overwrite=True)
    assert json.loads(bids.read_text()) == {"EchoTime": 0.002}
    assert not (tmp_path / "labels.nii.gz").exists()


def test_a_json_file_of_another_program_gives_no_names(
    scan: Volume, organs: LabelVolume, tmp_path: Path
) -> None:
    write_labels(organs, tmp_path / "labels.nii.gz", like=scan)
    for content in (
        '{"EchoTime": 0.002}',
        '{"labels": {"1": "liver"}}',
        "[1, 2]",
        "no JSON",
        '{"labels": ["a"]}',
    ):
        (tmp_path / "labels.json").write_text(content)
        assert read_labels(tmp_path / "labels.nii.gz").labels[0].name == "label_1", content


@pytest.mark.parametrize(
    "entry",
    [
        {"value": 1},
        {"name": "liver"},
        {"value": "one", "name": "liver"},
        {"value": 1, "name": "x", "color_rgb": [1]},
    ],
    ids=str,
)
def test_a_broken_sidecar_is_named(
    scan: Volume, organs: LabelVolume, tmp_path: Path, entry: dict[str, Any]
) -> None:
    write_labels(organs, tmp_path / "labels.nii.gz", like=scan)
    (tmp_path / "labels.json").write_text(json.dumps({"labels": [entry]}))
    with pytest.raises(LabelError, match=r"labels\.json lack a valid value, name or color"):
        read_labels(tmp_path / "labels.nii.gz")


def test_two_formats_share_one_sidecar(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    write_labels(organs, tmp_path / "labels.nii.gz", like=scan)
    write_labels(organs, tmp_path / "labels.mha", like=scan)
    assert read_labels(tmp_path / "labels.mha").labels == organs.labels


def test_nothing_is_overwritten_unless_asked(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    for suffix in LABEL_SUFFIXES:
        path = tmp_path / f"labels{suffix}"
        path.write_bytes(b"precious")
        with pytest.raises(OutputError, match="already exists; choose another name or allow overwriting"):
            write_labels(organs, path, like=scan)
        assert path.read_bytes() == b"precious"
        write_labels(organs, path, like=scan, overwrite=True)
        np.testing.assert_array_equal(read_labels(path).voxels, organs.voxels)
        path.unlink()


def test_labels_on_another_grid_are_not_written(scan: Volume, organs: LabelVolume, tmp_path: Path) -> None:
    moved = organs.affine_ras_mm.copy()
    moved[0, 3] += 3
    with pytest.raises(GeometryMismatchError, match="the origins are 3 mm apart") as error:
        write_labels(LabelVolume(organs.voxels, moved, organs.labels), tmp_path / "labels.nii.gz", like=scan)
    assert error.value.details.count("shape 7 x 11 x 5, affine") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["labels.jpg", "labels.mhd", "labels.txt", "labels"])
def test_a_suffix_that_is_not_for_labels_is_refused(
    scan: Volume, organs: LabelVolume, tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        OutputError, match=r"not one for labels; use \.nii\.gz, \.nii, \.seg\.nrrd, \.nrrd, \.mha"
    ):
        write_labels(organs, tmp_path / name, like=scan)


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.nii.gz", "a", ".nii.gz"),
        ("a.b.SEG.nrrd", "a.b", ".seg.nrrd"),
        ("a.seg.nrrd.nii", "a.seg.nrrd", ".nii"),
        ("folder", "folder", ""),
        ("x.gz", "x.gz", ""),
        (".nii.gz", "", ".nii.gz"),
    ],
)
def test_suffixes(tmp_path: Path, name: str, stem: str, suffix: str) -> None:
    assert (strip_suffix(tmp_path / name), suffix_of(tmp_path / name)) == (stem, suffix)
    assert sidecar_path(tmp_path / name) == tmp_path / f"{stem}.json"


def test_every_label_suffix_can_be_read_back() -> None:
    assert set(LABEL_SUFFIXES) < set(VOLUME_SUFFIXES)


def test_a_dicom_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"anything")
    with pytest.raises(UnreadableVolumeError, match="it is not a DICOM file"):
        read_volume(tmp_path / "1.dcm")


def test_the_scaling_in_the_file_is_the_identity(organs: LabelVolume, tmp_path: Path) -> None:
    """Programs without nibabel read the two numbers themselves, in bytes 112 to 120."""
    write_labels(organs, tmp_path / "labels.nii", like=Volume(organs.voxels, organs.affine_ras_mm))
    block = (tmp_path / "labels.nii").read_bytes()[:348]
    assert np.frombuffer(block, "<f4", 2, 112).tolist() == [1.0, 0.0]
