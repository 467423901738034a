"""NRRD and MetaImage: their text headers, as different programs write them."""

import zlib
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK

from sammed_volumes.errors import UnreadableVolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume

VOXELS = np.arange(3 * 5 * 7, dtype=np.int16).reshape(3, 5, 7)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def nrrd_file(path: Path, fields: list[str], voxels: np.ndarray = VOXELS, encoding: str = "raw") -> Path:
    lines = ["NRRD0004", "# by hand", "type: short", f"dimension: {voxels.ndim}", *fields[:1]]
    lines += [
        f"sizes: {' '.join(map(str, voxels.shape))}",
        "endian: little",
        f"encoding: {encoding}",
        *fields[1:],
    ]
    path.write_bytes(("\r\n".join(lines) + "\r\n\r\n").encode() + voxels.tobytes(order="F"))
    return path


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1)),
        ("LPS", (-1, -1)),
        ("right-anterior-superior", (1, 1)),
        ("RAS", (1, 1)),
        ("left-anterior-superior", (-1, 1)),
    ],
)
def test_all_anatomical_spaces(tmp_path: Path, space: str, signs: tuple[int, int]) -> None:
    fields = [f"space: {space}", "space directions: (0.5,0,0) (0,0.75,0) (0,0,3)", "space origin: (10,20,30)"]
    volume = read_volume(nrrd_file(tmp_path / "a.nrrd", fields))
    expected = np.diag([signs[0], signs[1], 1.0, 1.0]) @ [
        [0.5, 0, 0, 10],
        [0, 0.75, 0, 20],
        [0, 0, 3, 30],
        [0, 0, 0, 1.0],
    ]
    np.testing.assert_allclose(volume.affine_ras_mm, expected)
    np.testing.assert_array_equal(volume.voxels, VOXELS)


@pytest.mark.parametrize(
    ("fields", "spacing_mm"),
    [
        pytest.param(["content: x", "spacings: 0.5 0.75 3"], (0.5, 0.75, 3.0), id="spacings alone"),
        pytest.param(["content: x", "spacings: 0.5 0.75 nan"], (0.5, 0.75, 1.0), id="an unknown spacing"),
        pytest.param(["content: x"], (1.0, 1.0, 1.0), id="nothing"),
    ],
)
def test_a_nrrd_without_a_space(
    tmp_path: Path, fields: list[str], spacing_mm: tuple[float, float, float]
) -> None:
    """Like in ITK, the axes run to the left, to posterior and to superior."""
    volume = read_volume(nrrd_file(tmp_path / "a.nrrd", fields))
    np.testing.assert_allclose(volume.affine_ras_mm, LPS @ np.diag([*spacing_mm, 1.0]))


def test_a_nrrd_with_two_axes_keeps_two(tmp_path: Path) -> None:
    fields = ["space dimension: 2", "space directions: (0.5,0) (0,0.75)", "space origin: (10,20)"]
    like = read_volume(nrrd_file(tmp_path / "a.nrrd", fields, VOXELS[0]))
    assert like.shape == (5, 7, 1)
    assert like.spacing_mm == (0.5, 0.75, 1.0)
    labels = LabelVolume(np.ones((5, 7, 1), np.uint8), like.affine_ras_mm, (Label(1, "all", (1, 2, 3)),))
    write_labels(labels, tmp_path / "labels.nrrd", like=like)
    before, after = (
        nrrd.read_header(str(tmp_path / "a.nrrd")),
        nrrd.read_header(str(tmp_path / "labels.nrrd")),
    )
    for field in ("space dimension", "space directions", "space origin", "sizes"):
        np.testing.assert_array_equal(after[field], before[field])
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.nrrd").voxels, labels.voxels)


@pytest.mark.parametrize(
    "field", ["sizes: 3 5", "dimension: 2147483647", "type: quaternion", "encoding: hex", "nothing"]
)
def test_a_nrrd_that_contradicts_itself(tmp_path: Path, field: str) -> None:
    path = nrrd_file(tmp_path / "a.nrrd", ["content: x"])
    key = field.split(":")[0]
    lines = path.read_bytes().split(b"\r\n")
    kept = [field.encode() if line.startswith(key.encode() + b":") else line for line in lines]
    path.write_bytes(
        b"\r\n".join([*kept[:3], b"a line without a colon", *kept[3:]] if key == "nothing" else kept)
    )
    with pytest.raises(
        UnreadableVolumeError,
        match=r"it is not a complete NRRD file|sizes in its header do not match its dimension",
    ):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_header_cut_anywhere_is_one_error(tmp_path: Path, suffix: str) -> None:
    like = Volume(VOXELS, np.eye(4))
    path = tmp_path / f"a{suffix}"
    labels = LabelVolume(np.ones(VOXELS.shape, np.uint8), np.eye(4), (Label(1, "a", (1, 2, 3)),))
    write_labels(labels, path, like=like)
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableVolumeError):
            read_labels(path)


def meta_file(path: Path, lines: list[str], content: bytes, place: str = "LOCAL") -> Path:
    text = ["ObjectType = Image", "NDims = 3", "DimSize = 3 5 7", "ElementType = MET_SHORT", *lines]
    path.write_bytes(("\n".join([*text, f"ElementDataFile = {place}"]) + "\n").encode() + content)
    return path


def test_a_metaimage_in_text(tmp_path: Path) -> None:
    words = " ".join(map(str, VOXELS.ravel(order="F"))).encode()
    volume = read_volume(meta_file(tmp_path / "a.mha", ["BinaryData = False"], words))
    np.testing.assert_array_equal(volume.voxels, VOXELS)


def test_a_big_endian_metaimage(tmp_path: Path) -> None:
    lines = ["BinaryData = True", "BinaryDataByteOrderMSB = True"]
    path = meta_file(tmp_path / "a.mha", lines, VOXELS.astype(">i2").tobytes(order="F"))
    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(("size", "lead"), [("-1", b"some other program's header"), ("5", b"12345")])
def test_a_header_before_the_voxels(tmp_path: Path, size: str, lead: bytes) -> None:
    (tmp_path / "a b.raw").write_bytes(lead + VOXELS.tobytes(order="F"))
    lines = ["BinaryData = True", f"HeaderSize = {size}"]
    volume = read_volume(meta_file(tmp_path / "a.mhd", lines, b"", "a b.raw"))
    np.testing.assert_array_equal(volume.voxels, VOXELS)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_files_of_itk(tmp_path: Path, suffix: str, compressed: bool) -> None:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(VOXELS.T))
    image.SetDirection((0.0, 0.6, 0.8, 1.0, 0.0, 0.0, 0.0, 0.8, -0.6))
    image.SetSpacing((0.5, 0.75, 3.0))
    image.SetOrigin((10.0, 20.0, 30.0))
    SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"), useCompression=compressed)
    volume = read_volume(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    corner = LPS @ volume.affine_ras_mm @ (2, 4, 6, 1)
    np.testing.assert_allclose(corner[:3], image.TransformIndexToPhysicalPoint((2, 4, 6)))


def test_a_metaimage_with_two_axes(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(VOXELS[0].T))
    image.SetSpacing((0.5, 0.75))
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    volume = read_volume(tmp_path / "a.mha")
    np.testing.assert_array_equal(volume.voxels[:, :, 0], VOXELS[0])
    assert volume.spacing_mm == (0.5, 0.75, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        "DimSize = 3 5 0",
        "DimSize = 3 5 -7",
        "DimSize = 3 5 1000000000000",
        f"DimSize = 3 5 1{'0' * 30}",
        "ElementSpacing = 1 x 1",
        "Offset = 0 0",
        "TransformMatrix = 1 0 0 1",
    ],
)
@pytest.mark.parametrize("compressed", ["True", "False"])
def test_a_metaimage_that_contradicts_itself(tmp_path: Path, line: str, compressed: str) -> None:
    lines = ["NDims = 3", "BinaryData = True", "DimSize = 3 5 7", "ElementType = MET_SHORT", line]
    content = VOXELS.tobytes(order="F")
    content = zlib.compress(content) if compressed == "True" else content
    path = meta_file(tmp_path / "a.mha", [*lines, f"CompressedData = {compressed}"], content)
    with pytest.raises(UnreadableVolumeError, match="copy or export it again"):
        read_volume(path)
