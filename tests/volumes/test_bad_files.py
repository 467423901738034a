"""Bad input: each error is one sentence that states the file, what is wrong and what to do."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK

from sammed_volumes.errors import LabelError, UnreadableVolumeError, UnsupportedVolumeError, VolumeError
from sammed_volumes.formats import VOLUME_SUFFIXES, read_labels, read_volume
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume
from tests.conftest import MakePhantom
from tests.volumes.conftest import Save

Read = Callable[[Path], Volume | LabelVolume]

READERS = [read_volume, read_labels]


def sentence(error: pytest.ExceptionInfo[VolumeError], path: Path) -> str:
    """Return the message, after checking the form that every message has."""
    text = str(error.value)
    assert str(path) in text
    assert re.search(r"[^.?!]\.$", text), text
    assert "\n" not in text
    assert not re.search(r"Traceback|0x[0-9a-f]{6}|Errno", text), f"the message has internals: {text}"
    return text


def fails(
    path: Path,
    capfd: pytest.CaptureFixture[str],
    reader: Read = read_volume,
    kind: type[VolumeError] = VolumeError,
) -> str:
    with pytest.raises(kind) as error:
        reader(path)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", ""), "a library printed to the terminal"
    return sentence(error, path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, reader: Read) -> None:
    path = tmp_path / f"Herr Müller{suffix}"
    assert "there is no such file" in fails(path, capfd, reader, UnreadableVolumeError)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, reader: Read) -> None:
    path = tmp_path / f"leer{suffix}"
    path.touch()
    assert "it is empty (0 bytes); copy or export it again" in fails(
        path, capfd, reader, UnreadableVolumeError
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"This is no image at all, only a sentence.\n" * 40, id="text"),
        pytest.param(np.random.default_rng(0).bytes(5000), id="noise"),
        pytest.param(b"\x00" * 3000, id="zeros"),
        pytest.param(gzip.compress(b"\x00" * 3000), id="gzip of zeros"),
        pytest.param(b"x", id="one byte"),
    ],
)
def test_bytes_that_are_not_an_image(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, reader: Read, content: bytes
) -> None:
    path = tmp_path / f"kaputt{suffix}"
    path.write_bytes(content)
    assert "copy or export it again" in fails(path, capfd, reader, UnreadableVolumeError)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_cut_short(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    phantom: MakePhantom,
    save: Save,
    suffix: str,
    part: float,
) -> None:
    path = save(phantom().volume, tmp_path / f"scan{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert "copy or export it again" in fails(path, capfd, kind=UnreadableVolumeError)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_wrong_checksum(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], phantom: MakePhantom, save: Save, suffix: str
) -> None:
    """The checksum follows the voxels, so a reader that stops with them never sees it."""
    path = save(phantom().volume, tmp_path / f"scan{suffix}")
    whole = bytearray(path.read_bytes())
    whole[-1 if suffix == ".mha" else -5] ^= 1  # zlib's is the last four bytes, gzip's the four before
    path.write_bytes(whole)
    assert "copy or export it again" in fails(path, capfd, kind=UnreadableVolumeError)


def test_what_follows_the_checksum_is_not_the_image(tmp_path: Path, phantom: MakePhantom, save: Save) -> None:
    path = save(phantom().volume, tmp_path / "scan.nii.gz")
    expected = np.array(read_volume(path).voxels)
    path.write_bytes(path.read_bytes() + b"left over")
    np.testing.assert_array_equal(read_volume(path).voxels, expected)


def test_an_uncompressed_file_cut_short(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], phantom: MakePhantom, to_itk: Callable[..., Any]
) -> None:
    volume = phantom().volume
    path = tmp_path / "scan.mha"
    SimpleITK.WriteImage(to_itk(volume.voxels, volume.affine_ras_mm), str(path), useCompression=False)
    path.write_bytes(path.read_bytes()[:-1])
    fails(path, capfd, kind=UnreadableVolumeError)


@pytest.mark.parametrize("name", ["scan.nhdr", "scan.mhd"])
def test_the_voxels_of_a_detached_header_are_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], phantom: MakePhantom, save: Save, name: str
) -> None:
    path = save(phantom().volume, tmp_path / name)
    for each in tmp_path.iterdir():
        if each != path:
            each.unlink()
    fails(path, capfd, kind=UnreadableVolumeError)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_four_dimensions(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    series = np.zeros((3, 5, 7, 2), dtype=np.int16)
    path = tmp_path / f"perfusion{suffix}"
    if ".nii" in suffix:
        nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), path)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(series.T, isVector=False), str(path))
    assert "it has 4 dimensions (3 x 5 x 7 x 2); save a single 3-D volume" in fails(
        path, capfd, kind=UnsupportedVolumeError
    )


def test_a_time_series_of_three_is_not_color(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cine.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((7, 5, 1, 3), dtype=np.uint8), np.eye(4)), path)
    assert "it has 4 dimensions" in fails(path, capfd, kind=UnsupportedVolumeError)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_rgb(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    path = tmp_path / f"color{suffix}"
    if suffix == ".nii.gz":
        rgb = np.zeros((3, 5, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), path)
    else:
        SimpleITK.WriteImage(
            SimpleITK.GetImageFromArray(np.zeros((3, 5, 7, 3), np.uint8), isVector=True), str(path)
        )
    text = fails(path, capfd, kind=UnsupportedVolumeError)
    assert re.search(r"RGB|4 dimensions", text)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_complex(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    path = tmp_path / f"kspace{suffix}"
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 5, 7), dtype=np.complex64), np.eye(4)), path)
    assert "complex numbers; save their magnitude" in fails(path, capfd, kind=UnsupportedVolumeError)


def test_a_complex_array_is_not_a_volume() -> None:
    with pytest.raises(UnsupportedVolumeError, match="complex"):
        Volume(np.zeros((3, 5, 7), dtype=np.complex64), np.eye(4))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_singular_affine(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    path = tmp_path / f"flat{suffix}"
    header = nibabel.Nifti1Header()
    header.set_data_shape((3, 5, 7))
    header.set_sform(np.diag([1.0, 0.0, 2.0, 1.0]), 1)
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 5, 7), np.uint8), None, header), path)
    assert "its affine is singular, so its voxels have no volume" in fails(path, capfd)


def test_a_singular_affine_in_text_formats(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], phantom: MakePhantom, save: Save
) -> None:
    path = save(phantom().volume, tmp_path / "scan.mha")
    path.write_bytes(
        path.read_bytes().replace(b"TransformMatrix = 1 0 0 0 1 0", b"TransformMatrix = 1 0 0 1 0 0")
    )
    assert "singular" in fails(path, capfd)


def test_no_voxels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing.mha"
    path.write_text("NDims = 3\nDimSize = 0 5 7\nElementType = MET_SHORT\nElementDataFile = LOCAL\n")
    fails(path, capfd)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["scan.xyz", "scan", "scan.gz"])
def test_an_unknown_suffix(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], reader: Read, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"data")
    assert "its suffix is not one of .nii.gz, .nii," in fails(path, capfd, reader, UnsupportedVolumeError)


@pytest.mark.parametrize(
    ("space", "fact"),
    [("scanner-xyz", "its NRRD space is 'scanner-xyz'"), ("right-up", "NRRD")],
)
def test_a_nrrd_space_without_a_patient(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], space: str, fact: str
) -> None:
    path = tmp_path / "scan.nrrd"
    text = f"NRRD0004\ntype: uchar\ndimension: 3\nspace: {space}\nsizes: 1 1 2\nencoding: raw\n"
    path.write_bytes(text.encode() + b"space directions: (1,0,0) (0,1,0) (0,0,1)\n\n\x01\x02")
    assert fact in fails(path, capfd)


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("ElementDataFile = LIST", "list of files"),
        ("ElementDataFile = slice%03d.raw", "list of files"),
        ("ElementNumberOfChannels = 3\nElementDataFile = LOCAL", "several channels"),
        ("CompressedData = True\nElementDataFile = LOCAL", "copy or export it again"),
    ],
)
def test_unsupported_metaimages(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, fact: str
) -> None:
    path = tmp_path / "scan.mha"
    path.write_text(f"NDims = 3\nDimSize = 3 5 7\nBinaryData = True\nElementType = MET_SHORT\n{line}\n")
    assert fact in fails(path, capfd)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("value", "fact"),
    [(0.37, "fractional values such as 0.37"), (-2.0, "negative values such as -2"), (np.nan, "not finite")],
)
def test_labels_that_are_not_whole_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], save: Save, suffix: str, value: float, fact: str
) -> None:
    voxels = np.zeros((3, 5, 7), dtype=np.float32)
    voxels[1, 2, 3] = value
    path = save(Volume(voxels, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / f"labels{suffix}")
    assert fact in fails(path, capfd, read_labels, LabelError)


@pytest.mark.parametrize(
    "entry", [{"value": 1}, {"value": 0, "name": "a"}, {"value": 1, "name": ""}], ids=str
)
def test_a_broken_sidecar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], save: Save, entry: dict[str, object]
) -> None:
    path = save(Volume(np.ones((3, 5, 7), np.uint8), np.eye(4)), tmp_path / "labels.nii.gz")
    (tmp_path / "labels.json").write_text(json.dumps({"labels": [entry]}))
    assert "labels.json lack a valid value, name or color" in fails(path, capfd, read_labels, LabelError)


@pytest.mark.parametrize(
    ("pairs", "fact"),
    [
        ("Segment0_Name:=a\nSegment0_LabelValue:=0", "Label 'a' has the value 0; use 1 or more"),
        ("Segment0_LabelValue:=one", "its segment 0 lacks a valid value, layer or color"),
    ],
    ids=["background", "text"],
)
def test_a_broken_segment(tmp_path: Path, capfd: pytest.CaptureFixture[str], pairs: str, fact: str) -> None:
    path = tmp_path / "labels.seg.nrrd"
    text = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1 1 2\nencoding: raw\n{pairs}\n\n"
    path.write_bytes(text.encode() + b"\x01\x01")
    assert fact in fails(path, capfd, read_labels, LabelError)


def test_a_value_that_no_integer_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str], save: Save) -> None:
    path = save(Volume(np.full((3, 5, 7), 2.0**70), np.eye(4)), tmp_path / "labels.nii")
    assert "value is above 18446744073709551615" in fails(path, capfd, read_labels, LabelError)


def test_negative_integers_are_not_labels(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], phantom: MakePhantom, save: Save
) -> None:
    path = save(phantom().volume, tmp_path / "image.nii.gz")
    assert "negative values such as" in fails(path, capfd, read_labels, LabelError)


def test_a_file_without_read_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root can read everything, so the refusal is simulated."""
    path = tmp_path / "scan.mha"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "stat", refuse)
    with pytest.raises(
        UnreadableVolumeError, match=r"scan\.mha can't be read as a volume: Permission denied; change its"
    ):
        read_volume(path)


def test_labels_are_not_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "it is a folder; use a file" in fails(tmp_path, capfd, read_labels)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.hdr"])
@pytest.mark.parametrize("sizes", [(32767, 32767, 32767), (-1, 5, 7), (0, 5, 7)])
def test_a_size_that_the_file_can_not_hold(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, sizes: tuple[int, ...]
) -> None:
    path = tmp_path / name
    image_class = nibabel.AnalyzeImage if name.endswith(".hdr") else nibabel.Nifti1Image
    nibabel.save(image_class(np.zeros((3, 5, 7), dtype=np.int16), np.eye(4)), path)
    content = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    content = content[:42] + np.array(sizes, dtype="<i2").tobytes() + content[48:]
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert "copy or export it again" in fails(path, capfd, kind=UnreadableVolumeError)
