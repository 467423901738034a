"""Files whose suffix does not state what they are: read by their content, or named."""

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from sammed_volumes.content import Content, content_of
from sammed_volumes.errors import GeometryMismatchError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.placing import labels_on
from sammed_volumes.volume import Volume
from tests.volumes.conftest import Save

VOXELS = (np.arange(105).reshape(3, 5, 7) % 4).astype(np.uint8)
AFFINE = np.array([[-0.7, 0, 0, 10], [0, 0.7, 0, -20], [0, 0, 2.5, 5], [0, 0, 0, 1]])


def bytes_of(save: Save, folder: Path, suffix: str) -> bytes:
    return save(Volume(VOXELS, AFFINE), folder / f"source{suffix}").read_bytes()


def unpacked_nifti(save: Save, folder: Path) -> bytes:
    return bytes_of(save, folder, ".nii")


def second_nifti(_save: Save, folder: Path) -> bytes:
    path = folder / "source2.nii"
    nibabel.save(nibabel.Nifti2Image(VOXELS, AFFINE), path)
    return path.read_bytes()


def twice_nifti(save: Save, folder: Path) -> bytes:
    return gzip.compress(bytes_of(save, folder, ".nii.gz"))


def packed_nifti(save: Save, folder: Path) -> bytes:
    return bytes_of(save, folder, ".nii.gz")


def nrrd(save: Save, folder: Path) -> bytes:
    return bytes_of(save, folder, ".nrrd")


def metaimage(save: Save, folder: Path) -> bytes:
    return bytes_of(save, folder, ".mha")


@pytest.mark.parametrize(
    ("make", "name", "note"),
    [
        (unpacked_nifti, "a.nii.gz", "its suffix is .nii.gz, but it is a NIfTI file that is not compressed"),
        (second_nifti, "a.nii.gz", "its suffix is .nii.gz, but it is a NIfTI file that is not compressed"),
        (twice_nifti, "a.nii.gz", "but it is a NIfTI file compressed with gzip twice"),
        (packed_nifti, "a.nii", "its suffix is .nii, but it is a NIfTI file compressed with gzip"),
        (unpacked_nifti, "a.nrrd", "its suffix is .nrrd, but it is a NIfTI file"),
        (nrrd, "a.nii", "its suffix is .nii, but it is an NRRD file"),
        (nrrd, "a.nii.gz", "its suffix is .nii.gz, but it is an NRRD file"),
        (nrrd, "a.mha", "its suffix is .mha, but it is an NRRD file"),
        (metaimage, "a.nii", "its suffix is .nii, but it is a MetaImage file"),
        (metaimage, "a.nrrd", "its suffix is .nrrd, but it is a MetaImage file"),
    ],
)
def test_a_file_is_read_by_its_content(
    tmp_path: Path, save: Save, make: Callable[[Save, Path], bytes], name: str, note: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make(save, tmp_path))
    for found in (read_volume(path), read_labels(path)):
        np.testing.assert_array_equal(found.voxels, VOXELS)
        np.testing.assert_allclose(found.affine_ras_mm, AFFINE, atol=1e-6)
        assert found.path == path
        assert [each for each in found.notes if each.endswith(note)] == list(found.notes)
        assert len(found.notes) == 1


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".jpg"), ("TIFF", ".png"), ("PNG", ".nii")])
def test_a_picture_is_read_by_its_content(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(VOXELS[:, :, 0].T).save(path, format=kind)
    for found in (read_volume(path), read_labels(path)):
        np.testing.assert_array_equal(found.voxels[:, :, 0], VOXELS[:, :, 0])
        assert found.notes == (f"its suffix is {suffix}, but it is a {kind} picture",)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.nii", b"x")
    return stream.getvalue()


OTHERS = {
    "a zip archive; unpack it": zipped(),
    "a web page; download the file itself": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "a Python pickle; convert it": pickle.dumps({"a": np.zeros(9)}),
    "an HDF5 file, such as MINC 2; convert it": b"\x89HDF\r\n\x1a\n" + bytes(600),
    "a NetCDF file, such as MINC 1; convert it": b"CDF\x01" + bytes(600),
    "a DICOM file; use its folder, or rename it to .dcm": bytes(128) + b"DICM" + bytes(600),
    "text; copy or export it again": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "a NumPy array; convert it": b"\x93NUMPY\x01\x00" + bytes(99),
}


@pytest.mark.parametrize("sentence", OTHERS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".png"])
def test_other_files_are_named(tmp_path: Path, suffix: str, sentence: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(OTHERS[sentence])
    with pytest.raises(UnreadableVolumeError) as error:
        read_volume(path)
    assert str(error.value) == f"{path} can't be read as a volume: it is {sentence}."


def test_a_compressed_nrrd_is_named(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(gzip.compress(nrrd(save, tmp_path)))
    with pytest.raises(UnreadableVolumeError, match="an NRRD file compressed with gzip; unpack it"):
        read_volume(path)


@pytest.mark.parametrize("make", [unpacked_nifti, packed_nifti, second_nifti, nrrd, metaimage])
@pytest.mark.parametrize("name", ["scan", "1.2.840.7", "a.vol", "a.img"])
def test_a_file_whose_name_states_no_format_is_read_by_its_content(
    tmp_path: Path, save: Save, make: Callable[[Save, Path], bytes], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make(save, tmp_path))
    for found in (read_volume(path), read_labels(path)):
        np.testing.assert_array_equal(found.voxels, VOXELS)
        (note,) = found.notes
        suffix = f"its suffix is {path.suffix}, but" if path.suffix else "it has no suffix, but"
        assert note.startswith(f"{suffix} it is a")


def test_a_picture_without_a_suffix(tmp_path: Path) -> None:
    Image.fromarray(VOXELS[:, :, 0].T).save(tmp_path / "a", format="PNG")
    assert read_volume(tmp_path / "a").notes == ("it has no suffix, but it is a PNG picture",)


def test_what_is_no_image_is_named_without_a_suffix_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.vol").write_bytes(zipped())
    (tmp_path / "b.vol").write_bytes(bytes(999))
    with pytest.raises(UnsupportedVolumeError, match=r"and it is a zip archive; unpack it"):
        read_volume(tmp_path / "a.vol")
    with pytest.raises(UnsupportedVolumeError, match=r"not one of .nii.gz, .*; rename or convert it"):
        read_volume(tmp_path / "b.vol")


def test_layers_of_gzip_are_counted_up_to_three(tmp_path: Path) -> None:
    data = bytes(2000)
    for layers in range(6):
        (tmp_path / "a").write_bytes(data)
        assert content_of(tmp_path / "a") == Content("", min(layers, 3))
        data = gzip.compress(data)


def test_damaged_gzip_is_of_an_unknown_kind(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x1f\x8b" + bytes(30))
    assert content_of(tmp_path / "a") == Content("", 1)


def analyze(folder: Path, *, suffix: str = ".hdr") -> Path:
    image = nibabel.AnalyzeImage(VOXELS.astype(np.int16), np.diag([2.0, 3.0, 4.0, 1.0]))
    nibabel.save(image, folder / "scan.img")
    return folder / f"scan{suffix}"


@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_analyze_is_read_with_a_note(tmp_path: Path, suffix: str) -> None:
    path = analyze(tmp_path, suffix=suffix)
    for found in (read_volume(path), read_labels(path)):
        np.testing.assert_array_equal(found.voxels, VOXELS)
        np.testing.assert_array_equal(
            found.affine_ras_mm, nibabel.AnalyzeImage.from_filename(tmp_path / "scan.img").affine
        )
        assert found.notes[0].startswith("Analyze does not state which side is left")
        assert found.notes[1:] == ("it states no position, so positions are made up",)
        assert not found.is_placed
        assert found.path == path


@pytest.mark.parametrize("resample", [False, True])
def test_positions_that_the_reader_made_up_are_not_measured(tmp_path: Path, resample: bool) -> None:
    """nibabel puts the middle of an Analyze volume at the origin, wherever the image lies."""
    nibabel.save(nibabel.AnalyzeImage(VOXELS, AFFINE), tmp_path / "old.img")
    nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), tmp_path / "new.nii.gz")
    old, new = read_volume(tmp_path / "old.hdr"), read_volume(tmp_path / "new.nii.gz")
    old_labels, new_labels = read_labels(tmp_path / "old.hdr"), read_labels(tmp_path / "new.nii.gz")
    assert labels_on(old, old_labels) is old_labels
    with pytest.raises(GeometryMismatchError, match=r"new.nii.gz: it has no position of its own; save"):
        labels_on(new, old_labels, resample=resample)
    with pytest.raises(GeometryMismatchError, match=r"old.hdr: .*old.hdr has no position of its own; use"):
        labels_on(old, new_labels, resample=resample)


def test_spm_states_a_position_beside_an_analyze_file(tmp_path: Path) -> None:
    nibabel.save(nibabel.Spm99AnalyzeImage(VOXELS.astype(np.int16), AFFINE), tmp_path / "scan.img")
    found = read_volume(tmp_path / "scan.hdr")
    np.testing.assert_allclose(found.affine_ras_mm, AFFINE, atol=1e-6)
    assert (found.is_placed, len(found.notes)) == (True, 1)


def test_a_single_file_with_the_suffix_of_a_pair_is_one_file(tmp_path: Path, save: Save) -> None:
    (tmp_path / "scan.hdr").write_bytes(unpacked_nifti(save, tmp_path))
    for with_voxels in (False, True):
        if with_voxels:
            (tmp_path / "scan.img").write_bytes(bytes(999))
        found = read_volume(tmp_path / "scan.hdr")
        np.testing.assert_array_equal(found.voxels, VOXELS)
        assert found.notes == ("its suffix is .hdr, but it is a NIfTI file",)


def test_a_header_alone_is_named(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINE), tmp_path / "scan.img")
    (tmp_path / "scan.hdr").rename(tmp_path / "scan")
    with pytest.raises(UnsupportedVolumeError, match=r"it is the header of a NIfTI pair; rename it to .hdr"):
        read_volume(tmp_path / "scan")


def test_a_nifti_pair_is_nifti(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINE), tmp_path / "scan.img")
    volume = read_volume(tmp_path / "scan.hdr")
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.affine_ras_mm, AFFINE, atol=1e-6)
    assert volume.notes == ()
    (tmp_path / "scan.img").unlink()
    with pytest.raises(UnreadableVolumeError, match=r"its voxels should be in .*scan.img, which is missing"):
        read_volume(tmp_path / "scan.hdr")


def test_voxels_without_their_header(tmp_path: Path) -> None:
    analyze(tmp_path).unlink()
    with pytest.raises(UnreadableVolumeError, match=r"its header should be in .*scan.hdr, which is missing"):
        read_volume(tmp_path / "scan.img")
