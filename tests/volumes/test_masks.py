"""Masks that are pictures: JPEG, smoothed borders, colors; and labels that are floats."""

import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image, ImageDraw

from sammed_volumes.errors import LabelError
from sammed_volumes.formats import read_labels
from sammed_volumes.labels import LabelVolume

SIZE = 96


def picture(scale: int = 1, *, fill: int = 255) -> Image.Image:
    """Draw two structures: an ellipse and a bar."""
    image = Image.new("L", (SIZE * scale, SIZE * scale))
    draw = ImageDraw.Draw(image)
    draw.ellipse([10 * scale, 20 * scale, 50 * scale, 80 * scale], fill=fill)
    draw.rectangle([70 * scale, 10 * scale, 74 * scale, 60 * scale], fill=fill)
    return image


MASK = np.asarray(picture()) > 0


def rows_columns(labels: LabelVolume) -> np.ndarray:
    return labels.voxels[:, :, 0].T


def is_only_255(labels: LabelVolume) -> bool:
    return [label.value for label in labels.labels] == [255]


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_mask_is_one_label(tmp_path: Path, quality: int, mode: str) -> None:
    picture().convert(mode).save(tmp_path / "mask.jpg", quality=quality)
    labels = read_labels(tmp_path / "mask.jpg")
    assert is_only_255(labels)
    np.testing.assert_array_equal(rows_columns(labels) > 0, MASK)
    (note,) = labels.notes
    assert re.fullmatch(r"\d+ pixels have values between 0 and 255 by JPEG compression .* nearer", note)


@pytest.mark.parametrize("quality", [75, 95])
def test_a_jpeg_mask_that_was_saved_again_as_png(tmp_path: Path, quality: int) -> None:
    picture().save(tmp_path / "mask.jpg", quality=quality)
    Image.open(tmp_path / "mask.jpg").save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png")
    assert is_only_255(labels)
    np.testing.assert_array_equal(rows_columns(labels) > 0, MASK)
    assert "as smoothed borders or JPEG compression leave them" in labels.notes[0]


@pytest.mark.parametrize(
    ("value", "quality"),
    [(1, 90), *((value, quality) for value in (20, 40, 85, 128, 200) for quality in (50, 90))],
)
def test_a_jpeg_mask_of_other_labels_is_refused(tmp_path: Path, value: int, quality: int) -> None:
    Image.fromarray(np.where(MASK, value, 0).astype(np.uint8)).save(tmp_path / "mask.jpg", quality=quality)
    with pytest.raises(LabelError, match=r"it is a JPEG, .* save the mask as PNG with one value per label"):
        read_labels(tmp_path / "mask.jpg")


@pytest.mark.parametrize("value", [40, 128])
def test_a_jpeg_mask_with_a_third_cluster_is_refused(tmp_path: Path, value: int) -> None:
    pixels = np.asarray(picture()).copy()
    pixels[70:90, 60:90] = value
    Image.fromarray(pixels).save(tmp_path / "mask.jpg", quality=90)
    with pytest.raises(LabelError, match="not clearly black and white"):
        read_labels(tmp_path / "mask.jpg")


def test_an_empty_jpeg_mask_is_empty(tmp_path: Path) -> None:
    Image.new("L", (SIZE, SIZE)).save(tmp_path / "mask.jpg")
    assert read_labels(tmp_path / "mask.jpg").is_empty


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_smoothed_borders_go_to_the_nearer_value(tmp_path: Path, suffix: str) -> None:
    smooth = picture(8).resize((SIZE, SIZE), Image.Resampling.BOX)
    smooth.save(tmp_path / f"mask{suffix}")
    labels = read_labels(tmp_path / f"mask{suffix}")
    assert is_only_255(labels)
    np.testing.assert_array_equal(rows_columns(labels) > 0, np.asarray(smooth) > 127)
    assert "on smoothed borders" in labels.notes[0]


def test_a_mask_that_is_partly_smooth_is_refused(tmp_path: Path) -> None:
    pixels = np.asarray(picture(8).resize((SIZE, SIZE), Image.Resampling.BOX)).copy()
    pixels[70:80, 60:70] = 90
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    with pytest.raises(LabelError, match="values between 0 and 255, most of them on borders, as if smoothed"):
        read_labels(tmp_path / "mask.png")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0, 1, 2, 3], id="few"),
        pytest.param([0, 85, 170, 255], id="spread"),
        pytest.param([*range(21), 255], id="classes and an ignored border"),
        pytest.param(list(range(256)), id="instances"),
        pytest.param([0, 128, 255], id="a border with a value of its own"),
    ],
)
def test_labels_stay_as_they_are(tmp_path: Path, values: list[int]) -> None:
    pixels = np.repeat(np.repeat(np.resize(values, (16, 16)).astype(np.uint8), 6, 0), 6, 1)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png")
    np.testing.assert_array_equal(rows_columns(labels), pixels)
    assert labels.notes == ()


COLORS = np.zeros((SIZE, SIZE, 4), np.uint8)
COLORS[..., 3] = 255
COLORS[10:20, 10:20, :3] = 255, 255, 0
COLORS[30:40, 10:20, :3] = 0, 0, 255
COLORS[50:60, 10:20, :3] = 255, 0, 0
COLORS[:, 80:] = 9, 9, 9, 0


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "P"])
def test_each_color_is_a_label(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(COLORS)
    if mode != "RGBA":
        blank = Image.new("RGBA", image.size, (0, 0, 0, 255))
        blank.alpha_composite(image)
        image = blank.convert("RGB")
    if mode == "P":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    image.save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png", colors=True)
    assert [(each.value, each.name, each.color_rgb) for each in labels.labels] == [
        (1, "#0000ff", (0, 0, 255)),
        (2, "#ff0000", (255, 0, 0)),
        (3, "#ffff00", (255, 255, 0)),
    ]
    found = rows_columns(labels)
    assert (found[35, 15], found[55, 15], found[15, 15], found[0, 0], found[0, 90]) == (1, 2, 3, 0, 0)
    assert np.count_nonzero(found) == 300


def test_colors_of_a_gray_mask_are_its_values(tmp_path: Path) -> None:
    picture(fill=7).save(tmp_path / "mask.png")
    assert [label.value for label in read_labels(tmp_path / "mask.png", colors=True).labels] == [7]


def test_smoothed_and_lossy_colors_are_refused(tmp_path: Path) -> None:
    partly = COLORS.copy()
    partly[10, 10:20, 3] = 100
    Image.fromarray(partly).save(tmp_path / "mask.png")
    with pytest.raises(LabelError, match="10 of its pixels are partly transparent"):
        read_labels(tmp_path / "mask.png", colors=True)
    many = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(many).save(tmp_path / "many.png")
    with pytest.raises(LabelError, match=r"it has \d+ colors, but a mask has at most 64"):
        read_labels(tmp_path / "many.png", colors=True)
    Image.fromarray(COLORS[..., :3]).save(tmp_path / "mask.jpg")
    with pytest.raises(LabelError, match="it is a JPEG, whose compression changes colors"):
        read_labels(tmp_path / "mask.jpg", colors=True)


WHOLE = np.arange(60).reshape(3, 4, 5) % 4


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_floats_near_whole_numbers_are_whole(tmp_path: Path, suffix: str) -> None:
    stored = WHOLE.astype(np.float32)
    stored[WHOLE == 1] = np.float32(1.0000001)
    stored[0, 0, 0] = -0.0009
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / f"labels{suffix}")
    labels = read_labels(tmp_path / f"labels{suffix}")
    np.testing.assert_array_equal(labels.voxels, WHOLE)
    (note,) = labels.notes
    assert note.startswith("16 values are not exactly whole, such as ")


@pytest.mark.parametrize(
    ("value", "text"), [(np.float32(1.0000001), "1.0000001"), (np.float64(1 + 2**-52), "1.0000000000000002")]
)
def test_a_rounded_value_is_named_with_all_its_digits(
    tmp_path: Path, value: np.float32 | np.float64, text: str
) -> None:
    nibabel.save(nibabel.Nifti1Image(np.full((2, 2, 2), value), np.eye(4)), tmp_path / "labels.nii")
    (note,) = read_labels(tmp_path / "labels.nii").notes
    assert note == f"8 values are not exactly whole, such as {text}; they were rounded"


def test_real_fractions_are_refused_with_their_number(tmp_path: Path) -> None:
    stored = WHOLE.astype(np.float32)
    stored[WHOLE == 2] = 2.0011
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / "labels.nii.gz")
    with pytest.raises(LabelError, match=r"fractional values such as 2.0011 \(15 voxels\)"):
        read_labels(tmp_path / "labels.nii.gz")
