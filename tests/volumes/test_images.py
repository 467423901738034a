"""Pictures: rows and columns as stored, gray in one channel, color in three."""

import zlib
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from sammed_volumes.errors import (
    GeometryMismatchError,
    LabelError,
    OutputError,
    UnreadableVolumeError,
    UnsupportedVolumeError,
    VolumeError,
)
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume, default_label
from sammed_volumes.pages import read_pages
from sammed_volumes.placing import labels_on
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume

ROWS, COLUMNS = 5, 7
GRAY = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS) * 7
COLOR = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3), dtype=np.uint8)


def stack_of(volume: Volume | LabelVolume) -> np.ndarray:
    return plan_slices(volume.shape, volume.affine_ras_mm).to_stack(volume.voxels)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize(
    "pixels", [GRAY, GRAY.astype(np.uint16) * 250, COLOR], ids=["8 bits", "16 bits", "color"]
)
def test_a_picture_is_one_slice_as_stored(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    if pixels.ndim == 3 and suffix == ".tiff":
        pixels = pixels[::-1]
    path = tmp_path / f"Röntgen Bild{suffix}"
    Image.fromarray(pixels).save(path)
    volume = read_volume(path)
    np.testing.assert_array_equal(stack_of(volume)[0], pixels)
    assert volume.shape == (COLUMNS, ROWS, 1)
    assert volume.is_color == (pixels.ndim == 3)
    assert volume.is_picture == (pixels.dtype == np.uint8)
    assert volume.voxels.dtype == pixels.dtype


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_jpeg(tmp_path: Path, suffix: str) -> None:
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (24, 1))
    Image.fromarray(smooth).save(tmp_path / f"a{suffix}", quality=95)
    np.testing.assert_allclose(stack_of(read_volume(tmp_path / f"a{suffix}"))[0].astype(int), smooth, atol=8)


def test_float_pixels_are_kept(tmp_path: Path) -> None:
    pixels = GRAY.astype(np.float32) / 3
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(stack_of(read_volume(tmp_path / "a.tif"))[0], pixels)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        pytest.param(np.dstack([COLOR, GRAY]), COLOR, id="color and transparency"),
        pytest.param(np.dstack([GRAY, GRAY]), GRAY, id="gray and transparency"),
        pytest.param(GRAY > 100, (GRAY > 100) * np.uint8(255), id="black and white"),
    ],
)
def test_transparency_is_ignored(tmp_path: Path, pixels: np.ndarray, expected: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(stack_of(read_volume(tmp_path / "a.png"))[0], expected)


def palette_picture(path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8), mode=None)
    picture = picture.convert("P")
    picture.putdata([0, 1, 2, 2, 1, 0])
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.save(path)


def test_a_palette_gives_colors_of_a_volume_and_indices_of_labels(tmp_path: Path) -> None:
    palette_picture(tmp_path / "a.png")
    assert stack_of(read_volume(tmp_path / "a.png"))[0, 0].tolist() == [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    assert stack_of(read_labels(tmp_path / "a.png"))[0].tolist() == [[0, 1, 2], [2, 1, 0]]


def test_a_mask_keeps_its_values(tmp_path: Path) -> None:
    Image.fromarray((GRAY > 100) * np.uint8(255)).save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png")
    assert [(label.value, label.name) for label in labels.labels] == [(255, "label_255")]


def test_a_gray_mask_saved_in_color_is_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([GRAY] * 3)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(stack_of(read_labels(tmp_path / "mask.png"))[0], GRAY)


def test_a_color_picture_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(COLOR).save(tmp_path / "mask.png")
    with pytest.raises(
        LabelError, match=r"it is a color picture, but labels are whole numbers; save it in gray .* --colors"
    ):
        read_labels(tmp_path / "mask.png")


def test_too_many_pixels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", ROWS * COLUMNS - 1)
    with pytest.raises(UnsupportedVolumeError, match="it has too many pixels for a picture"):
        read_volume(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_cut_short(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UnreadableVolumeError, match="it is not a complete picture; copy or export it again"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


def test_a_bit_flipped_in_a_png_gives_the_same_pixels_or_an_error(tmp_path: Path) -> None:
    """Pillow passes over checksums, and gives other pixels as long as they can be unpacked."""
    path = tmp_path / "a.png"
    Image.fromarray(np.kron(np.eye(4, dtype=np.uint8), GRAY[:3, :3])).save(path)
    expected, whole = read_volume(path).voxels, path.read_bytes()
    for bit in range(8 * whole.index(b"IDAT"), 8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with suppress(VolumeError):
            np.testing.assert_array_equal(read_volume(path).voxels, expected)


def test_a_png_that_states_more_pixels_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GRAY).save(path)
    whole = path.read_bytes()
    header = b"IHDR" + (16).to_bytes(4, "big") + (1_703_950).to_bytes(4, "big") + whole[24:29]
    path.write_bytes(whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:])
    with pytest.raises(UnreadableVolumeError, match="its header states more pixels than it holds"):
        read_volume(path)


def test_a_tiff_whose_second_page_has_no_width(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    page = Image.fromarray(GRAY)
    page.save(path, save_all=True, append_images=[page])
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    second = int.from_bytes(content[end : end + 4], "little")
    content[second + 2 : second + 4] = b"\xff\xff"  # the tag of the page's first entry, which is the width
    path.write_bytes(content)
    with pytest.raises(UnreadableVolumeError, match="it is not a complete picture"):
        read_volume(path)


@pytest.mark.parametrize("highest", [1, 255, 256, 65535])
def test_labels_of_a_picture_are_written_as_a_picture(tmp_path: Path, highest: int) -> None:
    Image.fromarray(GRAY).save(tmp_path / "scan.png")
    scan = read_volume(tmp_path / "scan.png")
    voxels = np.random.default_rng(1).choice([0, 1, highest], scan.shape).astype(np.uint32)
    voxels.flat[0] = highest
    labels = LabelVolume(
        voxels, scan.affine_ras_mm, (Label(1, "one", (1, 2, 3)), Label(9, "unseen", (4, 5, 6)))
    )
    written = write_labels(labels, tmp_path / "scan_label.png", like=scan)
    assert [path.name for path in written] == ["scan_label.png", "scan_label.json"]
    again = read_labels(written[0])
    np.testing.assert_array_equal(again.voxels, voxels)
    np.testing.assert_array_equal(again.affine_ras_mm, scan.affine_ras_mm)
    assert again.labels[0].name == "one"
    pixels = np.asarray(Image.open(written[0]))  # as other programs see it
    np.testing.assert_array_equal(pixels, voxels[:, :, 0].T)
    with pytest.raises(OutputError, match="already exists"):
        write_labels(labels, tmp_path / "scan_label.png", like=scan)


@pytest.mark.parametrize(
    ("shape", "affine", "value", "sentence"),
    [
        ((4, 5, 2), np.diag([-1.0, -1.0, 1.0, 1.0]), 1, "can't store the grid of a volume"),
        ((4, 5, 1), np.diag([-0.5, -1.0, 1.0, 1.0]), 1, "can't store the grid of a volume"),
        ((4, 5, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), 65536, "go up to 65535"),
    ],
)
def test_what_a_picture_can_not_store_is_refused(
    tmp_path: Path, shape: tuple[int, int, int], affine: np.ndarray, value: int, sentence: str
) -> None:
    voxels = np.full(shape, value, dtype=np.uint32)
    labels = LabelVolume(voxels, affine, (Label(value, "all", (1, 2, 3)),))
    with pytest.raises(OutputError, match=sentence):
        write_labels(labels, tmp_path / "label.png", like=Volume(voxels.astype(np.float32), affine))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [AttributeError, IndexError, RuntimeError, ZeroDivisionError])
def test_a_bug_is_not_taken_for_a_broken_picture(tmp_path: Path, fault: type[Exception]) -> None:
    def convert(_image: Image.Image) -> NoReturn:
        raise fault

    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(fault):
        read_pages(tmp_path / "a.png", convert)


def test_labels_with_a_position_are_not_resampled_onto_a_picture(tmp_path: Path) -> None:
    """Where a picture's pixels lie is made up, so nothing else can be brought there."""
    Image.fromarray(np.arange(9 * 7, dtype=np.uint8).reshape(9, 7)).save(tmp_path / "a.png")
    affine = np.diag([1.5, 1.2, 4.0, 1.0])
    affine[:3, 3] = (-3.0, 2.0, 1.0)
    labels = LabelVolume(np.ones((5, 6, 1), np.uint8), affine, (default_label(1),))
    with pytest.raises(GeometryMismatchError, match=r"a\.png has no position of its own"):
        labels_on(read_volume(tmp_path / "a.png"), labels, resample=True)
