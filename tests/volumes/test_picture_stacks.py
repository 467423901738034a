"""Stacks of pictures: pages of a TIFF, numbered files of a folder; and the EXIF orientation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.images import NO_SPACING
from sammed_volumes.picture_folder import is_stack, numbered_slices
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume

STACK = np.random.default_rng(0).integers(0, 4, (6, 5, 7), dtype=np.uint8)  # S rows columns


def stack_of(volume: Volume, axis: int = 2) -> np.ndarray:
    return plan_slices(volume.shape, volume.affine_ras_mm, axis).to_stack(volume.voxels)


def save_tiff(
    path: Path, stack: np.ndarray, *, description: str = "", dots: tuple[float, float] | None = None
) -> Path:
    tags = ImageFileDirectory_v2()
    if description:
        tags[270] = description
    if dots is not None:
        tags[282], tags[283], tags[296] = dots[0], dots[1], 1
    first, *others = [Image.fromarray(page) for page in stack]
    first.save(path, save_all=True, append_images=others, tiffinfo=tags)
    return path


def save_folder(folder: Path, stack: np.ndarray, names: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for page, name in zip(stack, names, strict=True):
        Image.fromarray(page).save(folder / name)
    return folder


NAMES = [f"IM12_slice{number}.png" for number in range(7, 13)]  # 7 .. 12: "12" sorts before "7" by letters


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pages_are_slices(tmp_path: Path, dtype: type) -> None:
    path = save_tiff(tmp_path / "a.tif", STACK.astype(dtype))
    volume = read_volume(path)
    assert volume.voxels.dtype == dtype
    np.testing.assert_array_equal(stack_of(volume), STACK)
    assert volume.shape == (7, 5, 6)
    assert volume.spacing_mm == (1, 1, 1)
    assert volume.notes == (NO_SPACING,)


IMAGEJ = "ImageJ=1.54f\nimages=6\nslices=6\nunit={unit}\nspacing=3.0\nloop=false\n"
OME = (
    '<?xml version="1.0"?><OME><Pixels SizeC="1" SizeT="1" PhysicalSizeX="500" PhysicalSizeY="0.25" '
    'PhysicalSizeYUnit="mm" PhysicalSizeZ="3000" PhysicalSizeXUnit="µm" /></OME>'
)


@pytest.mark.parametrize(
    ("description", "dots", "spacing_mm"),
    [
        (IMAGEJ.format(unit="mm"), (2.0, 4.0), (0.5, 0.25, 3.0)),
        (IMAGEJ.format(unit="cm"), (2.0, 4.0), (5.0, 2.5, 30.0)),
        (IMAGEJ.format(unit="micron"), (2e-3, 4e-3), (0.5, 0.25, 0.003)),
        (IMAGEJ.format(unit="pixel"), (2.0, 4.0), None),
        (OME.replace("µ", "u"), None, (0.5, 0.25, 3.0)),
        ("a scan", (72.0, 72.0), None),
    ],
)
def test_the_spacing_of_a_tiff(
    tmp_path: Path,
    description: str,
    dots: tuple[float, float] | None,
    spacing_mm: tuple[float, float, float] | None,
) -> None:
    volume = read_volume(save_tiff(tmp_path / "a.tif", STACK, description=description, dots=dots))
    np.testing.assert_allclose(volume.spacing_mm, spacing_mm or (1, 1, 1), rtol=1e-6)
    assert volume.notes == (() if spacing_mm else (NO_SPACING,))


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        (IMAGEJ.format(unit="mm") + "channels=2\n", "it has 2 channels"),
        (IMAGEJ.format(unit="mm") + "frames=3\n", "it has 3 frames"),
        (IMAGEJ.replace("images=6", "images=60"), "it states 60 pages but has 6"),
        (OME.replace("µ", "u").replace('SizeT="1"', 'SizeT="6"'), "its SizeT is 6"),
    ],
)
def test_a_tiff_of_several_volumes_is_refused(tmp_path: Path, description: str, sentence: str) -> None:
    path = save_tiff(tmp_path / "a.tif", STACK, description=description, dots=(1.0, 1.0))
    with pytest.raises((UnsupportedVolumeError, UnreadableVolumeError), match=sentence):
        read_volume(path)


@pytest.mark.parametrize("is_described", [False, True])
def test_a_list_of_pages_that_breaks_off_is_refused(tmp_path: Path, is_described: bool) -> None:
    """Pillow warns, and gives the pages before the break. What follows the last page may be missing."""
    pages, path = [Image.new("L", (5, 3), k) for k in range(6)], tmp_path / "scan.tif"
    description = IMAGEJ.format(unit="mm") if is_described else ""
    pages[0].save(path, save_all=True, append_images=pages[1:], description=description)
    whole = path.read_bytes()
    after = whole.rindex(b"\5" * 15) + 15
    for size in range(8, after, 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableVolumeError):
            read_volume(path)


def test_one_page_that_states_more_is_refused(tmp_path: Path) -> None:
    """ImageJ lists one page of a stack that is larger than 4 GB."""
    Image.new("L", (5, 3)).save(tmp_path / "scan.tif", description=IMAGEJ.format(unit="mm"))
    with pytest.raises(UnreadableVolumeError, match="it states 6 pages but has 1; save it again"):
        read_volume(tmp_path / "scan.tif")


def test_pages_that_differ_and_pages_of_a_png_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(STACK[0]), Image.fromarray(STACK[0][1:])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnsupportedVolumeError, match="its 2 pages differ in size or type"):
        read_volume(tmp_path / "a.tif")
    pages = [Image.fromarray(page) for page in STACK[:3]]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:])
    with pytest.raises(UnsupportedVolumeError, match="it has 3 pages"):
        read_volume(tmp_path / "a.png")


def test_a_stack_in_color(tmp_path: Path) -> None:
    path = save_tiff(tmp_path / "a.tif", np.stack([STACK] * 3, axis=-1))
    np.testing.assert_array_equal(stack_of(read_volume(path)), STACK)
    colored = np.stack([STACK, STACK, STACK * 2], axis=-1)
    with pytest.raises(UnsupportedVolumeError, match="its slices are in color"):
        read_volume(save_tiff(tmp_path / "b.tif", colored))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_folder_of_numbered_slices(tmp_path: Path, suffix: str) -> None:
    names = [name.replace(".png", suffix) for name in NAMES]
    folder = save_folder(tmp_path / "scan", STACK, names)
    (folder / "notes.txt").write_text("made on Monday")
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "IM12_slice9_label.png").write_bytes(b"x")
    volume = read_volume(folder, spacing_mm=(0.5, 0.25, 3))
    np.testing.assert_array_equal(stack_of(volume), STACK)
    assert volume.spacing_mm == (0.5, 0.25, 3)
    assert volume.notes == ()
    assert volume.path == folder
    assert [path.name for path in numbered_slices(folder)] == names
    assert read_volume(folder).notes == (NO_SPACING,)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a1.png", "a2.png", "a3.png", "a5.png", "a6.png", "a7.png"], "slice 4 is missing"),
        ([f"a{2 * number}.png" for number in range(6)], r"5 slices \(1, 3, 5, 7, 9\) are missing"),
        ([f"a{100 * number}.png" for number in range(6)], r"495 slices \(1, 2, 3, 4, 5, .*, \.\.\.\) are"),
        (["a1.png", "a01.png", "a2.png", "a3.png", "a4.png", "a5.png"], "it has several slices 1; keep one"),
        (["a1.png", "a2.png", "a3.png", "a4.png", "a5.png", "b6.png"], "names must differ in one number"),
        ([f"{number}_{number}.png" for number in range(6)], "names must differ in one number only"),
        (list("abcdef"), "names must differ in one number"),
    ],
)
def test_folders_that_are_no_volume(tmp_path: Path, names: list[str], sentence: str) -> None:
    names = [name if name.endswith(".png") else f"{name}.png" for name in names]
    folder = save_folder(tmp_path / "scan", STACK, names)
    with pytest.raises((UnreadableVolumeError, UnsupportedVolumeError), match=sentence):
        read_volume(folder)


def test_slices_of_several_sizes_are_refused(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "scan", STACK, NAMES)
    Image.fromarray(STACK[0][1:]).save(folder / NAMES[3])
    with pytest.raises(UnsupportedVolumeError, match="its slices differ in size or type"):
        read_volume(folder)


def test_one_picture_is_no_stack(tmp_path: Path) -> None:
    assert not is_stack(save_folder(tmp_path / "scan", STACK[:1], NAMES[:1]))


def test_labels_of_a_stack_have_the_spacing_of_its_image(tmp_path: Path) -> None:
    scan = read_volume(save_folder(tmp_path / "scan", STACK * 50, NAMES), spacing_mm=(0.5, 0.5, 3))
    masks = save_folder(tmp_path / "masks", STACK, [name.replace("slice", "mask") for name in NAMES])
    tiff = save_tiff(tmp_path / "masks.tif", STACK)
    for path in (masks, tiff):
        labels = read_labels(path, like=scan.grid)
        np.testing.assert_array_equal(labels.affine_ras_mm, scan.affine_ras_mm)
        np.testing.assert_array_equal(labels.voxels, np.moveaxis(STACK, (0, 1, 2), (2, 1, 0)))
        assert [label.value for label in labels.labels] == [1, 2, 3]
        assert read_labels(path).affine_ras_mm.diagonal().tolist() == [-1, -1, 1, 1]
        own = read_labels(path, spacing_mm=(2, 2, 2), like=scan.grid)
        assert own.affine_ras_mm.diagonal().tolist() == [-2, -2, 2, 1]
    written = write_labels(read_labels(masks, like=scan.grid), tmp_path / "out.nii.gz", like=scan)
    again = read_labels(written[0])
    np.testing.assert_array_equal(again.voxels, labels.voxels)
    np.testing.assert_allclose(again.affine_ras_mm, scan.affine_ras_mm)


def test_a_spacing_is_for_pictures_only(tmp_path: Path) -> None:
    scan = read_volume(save_tiff(tmp_path / "a.tif", STACK))
    (path, *_) = write_labels(read_labels(tmp_path / "a.tif"), tmp_path / "a.nii.gz", like=scan)
    for reader in (read_volume, read_labels):
        with pytest.raises(UnsupportedVolumeError, match="it states its own spacing"):
            reader(path, spacing_mm=(1, 1, 1))


SHOWN = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
TURNS = {
    2: np.fliplr(SHOWN),
    3: np.rot90(SHOWN, 2),
    4: np.flipud(SHOWN),
    5: SHOWN.T,
    6: np.rot90(SHOWN),
    7: np.rot90(SHOWN, 2).T,
    8: np.rot90(SHOWN, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_orientation_of_a_photograph_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    image = Image.fromarray(np.ascontiguousarray(TURNS[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a{suffix}", exif=exif)
    volume = read_volume(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(stack_of(volume)[0], SHOWN)
    if suffix == ".png":  # Pillow applies that of a TIFF, and always has
        assert volume.notes == (
            f"its EXIF orientation {orientation} is applied, so it lies as viewers show it",
        )
    Image.fromarray(SHOWN).save(tmp_path / "mask.png")
    assert read_labels(tmp_path / "mask.png").grid.is_like(volume.grid)


def test_an_upright_photograph_has_no_note(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    Image.fromarray(SHOWN).save(tmp_path / "a.jpg", exif=exif)
    assert read_volume(tmp_path / "a.jpg").notes == ()


@pytest.mark.parametrize(
    ("spacing_mm", "notes"),
    [
        ((0.5, 0.25, 3.0), ()),
        (
            (0.5, 0.5, 2.0),
            (
                "it states a spacing of 0.5 x 0.25 x 3 mm, but --spacing is 0.5 x 0.5 x 2 mm; "
                "the latter is used",
            ),
        ),
    ],
)
def test_a_spacing_that_differs_from_that_of_the_tiff_is_said(
    tmp_path: Path, spacing_mm: tuple[float, float, float], notes: tuple[str, ...]
) -> None:
    path = save_tiff(tmp_path / "a.tif", STACK, description=IMAGEJ.format(unit="mm"), dots=(2.0, 4.0))
    for found in (read_volume(path, spacing_mm=spacing_mm), read_labels(path, spacing_mm=spacing_mm)):
        np.testing.assert_allclose(found.grid.spacing_mm, spacing_mm)
        assert found.notes == notes
