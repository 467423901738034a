"""Values in files, through the commands: notes, --colors, --spacing, stacks of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.cli.conftest import Sammed

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
BOX = np.zeros((24, 32), np.uint8)
BOX[6:18, 8:20] = 255


def nifti(path: Path, voxels: np.ndarray, sform_code: int = 1) -> Path:
    image = nibabel.Nifti1Image(voxels, AFFINE)
    image.set_sform(AFFINE, sform_code)
    image.set_qform(None, 0)
    nibabel.save(image, path)
    return path


def folder(path: Path, stack: np.ndarray) -> Path:
    path.mkdir()
    for number, page in enumerate(stack):
        Image.fromarray(page).save(path / f"{number}.png")
    return path


def test_info_cleans_a_jpeg_mask_and_says_so(sammed: Sammed, tmp_path: Path) -> None:
    Image.fromarray(BOX).save(tmp_path / "mask.jpg", quality=50)
    run = sammed("info", tmp_path / "mask.jpg", "--json")
    assert run.json["kind"] == "labels"
    assert [row["value"] for row in run.json["labels"]] == [255]
    assert "by JPEG compression" in run.json["note_1"]


def test_info_shows_the_position_of_a_nifti(sammed: Sammed, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(999, dtype=np.int16).reshape(3, 37, 9), AFFINE)
    moved = AFFINE.copy()
    moved[2, 3] = 30
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / "a.nii.gz")
    shown = sammed("info", tmp_path / "a.nii.gz", "--json").json
    assert (shown["sform_code"], shown["qform_code"]) == (2, 1)
    assert shown["sform_and_qform_apart_mm"] == 30
    assert shown["note_1"] == "its sform and qform place voxels up to 30 mm apart; the sform is used"
    labels = sammed("info", nifti(tmp_path / "b.nii.gz", np.ones((3, 4, 5), np.uint8), 0), "--json").json
    assert labels["kind"] == "labels"
    assert (labels["sform_code"], labels["qform_code"]) == (0, 0)
    assert "positions are made up" in labels["note_1"]


def test_info_of_a_stack_and_of_colors(sammed: Sammed, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (5, 24, 32), dtype=np.uint8)
    scan = folder(tmp_path / "scan", values)
    run = sammed("info", scan, "--spacing", "0.5,0.25,3", "--json")
    assert (run.json["kind"], run.json["shape"], run.json["spacing_mm"]) == (
        "volume",
        [32, 24, 5],
        [0.5, 0.25, 3],
    )
    assert "note_1" not in run.json
    Image.fromarray(np.stack([BOX, BOX // 2, BOX * 0], axis=-1)).save(tmp_path / "mask.png")
    shown = sammed("info", tmp_path / "mask.png", "--colors", "--json").json
    assert [(row["value"], row["name"]) for row in shown["labels"]] == [(1, "#ff7f00")]


@pytest.mark.parametrize("text", ["1,2", "a,b,c", "0,1,1", "1,1,-2", "1,1,inf", "nan,1,1"])
def test_a_spacing_is_three_lengths(sammed: Sammed, tmp_path: Path, text: str) -> None:
    Image.fromarray(BOX).save(tmp_path / "a.png")
    assert sammed("info", tmp_path / "a.png", "--spacing", text).exit_code == 2


def test_evaluate_compares_the_only_labels_and_says_so(sammed: Sammed, tmp_path: Path) -> None:
    Image.fromarray(BOX).save(tmp_path / "truth.png")
    Image.fromarray(BOX // 255).save(tmp_path / "predicted.png")
    run = sammed("evaluate", tmp_path / "predicted.png", tmp_path / "truth.png", "--json")
    assert run.json["mean"]["dice"] == 1
    assert (
        "the prediction has label_1 (1), the reference has label_255 (255); each has only one" in run.stderr
    )


def test_evaluate_matches_colors_by_name(sammed: Sammed, tmp_path: Path) -> None:
    truth = np.zeros((24, 32, 3), np.uint8)
    truth[2:9, 2:9], truth[12:20, 12:20] = (255, 0, 0), (0, 255, 0)
    Image.fromarray(truth).save(tmp_path / "truth.png")
    predicted = truth.copy()
    predicted[2:9, 2:9] = 0
    Image.fromarray(predicted).save(tmp_path / "predicted.png")
    pair = (tmp_path / "predicted.png", tmp_path / "truth.png")
    assert "--colors" in sammed("evaluate", *pair).sentence
    scores = {
        row["name"]: row["dice"]
        for row in sammed("evaluate", *pair, "--colors", "--json").json["labels"].values()
    }
    assert scores == {"#ff0000": 0, "#00ff00": 1}


def test_evaluate_reports_the_notes_of_both(sammed: Sammed, tmp_path: Path) -> None:
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1:3, 1:3, 1:3] = np.float32(1.0000001)
    pair = [nifti(tmp_path / f"{name}.nii.gz", voxels) for name in "ab"]
    run = sammed("evaluate", *pair)
    assert run.exit_code == 0
    for path in pair:
        assert f"{path}: 8 values are not exactly whole, such as 1.0000001; they were rounded." in run.stderr


def test_stacks_are_checked_and_converted(sammed: Sammed, tmp_path: Path) -> None:
    scan = folder(tmp_path / "scan", np.stack([BOX] * 4))
    masks = folder(tmp_path / "masks", np.stack([BOX // 255] * 4))
    run = sammed("check", masks, scan, "--spacing", "0.5,0.5,2", "--json")
    assert (run.exit_code, run.json["lies_on"]) == (0, "grid")
    assert run.json["labels"]["spacing_mm"] == [0.5, 0.5, 2]
    run = sammed("convert", masks, tmp_path / "masks.nii.gz", "--spacing", "0.5,0.5,2", "--json")
    assert (run.exit_code, run.json["shape"]) == (0, [32, 24, 4])
    assert nibabel.Nifti1Image.from_filename(tmp_path / "masks.nii.gz").header.get_zooms() == (0.5, 0.5, 2)
    assert sammed("check", tmp_path / "masks.nii.gz", scan, "--spacing", "0.5,0.5,2").exit_code == 0


def test_a_spacing_is_for_the_pictures_among_two_files(sammed: Sammed, tmp_path: Path) -> None:
    masks = folder(tmp_path / "masks", np.stack([BOX // 255] * 4))
    wanted, whole = ("--spacing", "0.5,0.5,2"), tmp_path / "masks.nii.gz"
    assert sammed("convert", masks, whole, *wanted).exit_code == 0
    for pair in ((masks, whole), (whole, masks), (masks, masks)):
        assert sammed("check", *pair, *wanted).exit_code == 0
        assert sammed("evaluate", *pair, *wanted, "--json").json["mean"]["dice"] == 1
        like = (tmp_path / "a.nrrd", "--like", pair[1], "--overwrite")
        assert sammed("convert", pair[0], *like, *wanted).exit_code == 0
    for command in ("check", "evaluate"):
        assert "it states its own spacing" in sammed(command, whole, whole, *wanted).sentence
    assert "spacing differs" in sammed("evaluate", masks, whole).sentence


def test_interpolate_takes_a_spacing_and_colors(sammed: Sammed, tmp_path: Path) -> None:
    scan = folder(tmp_path / "scan", np.random.default_rng(0).integers(0, 255, (5, 24, 32), dtype=np.uint8))
    colors = np.zeros((5, 24, 32, 3), np.uint8)
    colors[[1, 3], 6:18, 8:20] = (255, 0, 0)
    marks = folder(tmp_path / "marks", colors)
    arguments = ("--spacing", "0.5,0.5,2", "--colors", "--output", tmp_path / "out.nii.gz", "--json")
    run = sammed("interpolate", scan, marks, *arguments)
    assert run.exit_code == 0, run.stderr
    assert list(run.json["expected_dice"]) == ["#ff0000"]
    shown = sammed("info", tmp_path / "out.nii.gz", "--json").json
    assert shown["spacing_mm"] == [0.5, 0.5, 2]
    assert shown["labels"][0]["slices"] >= 3


def test_a_folder_of_pictures_is_many_images_or_one(tmp_path: Path) -> None:
    from sammed.batch.sources import find_sources

    scan = folder(tmp_path / "scan", np.stack([BOX] * 3))
    many = find_sources((tmp_path,)).found
    assert [source.image.name for source in many] == ["0.png", "1.png", "2.png"]
    (one,) = find_sources((scan,), stack=True).found
    assert (one.image, one.name, one.series) == (scan, "scan", None)
    assert [source.image for source in find_sources((tmp_path,), stack=True).found] == [scan]


def test_the_digest_of_a_stack_is_that_of_its_slices(tmp_path: Path) -> None:
    from sammed.storage.fingerprint import image_digest

    scan = folder(tmp_path / "scan", np.stack([BOX] * 3))
    before = image_digest(scan)
    Image.fromarray(BOX).save(scan / "0_label.png")
    assert image_digest(scan) == before
    Image.fromarray(BOX // 2).save(scan / "1.png")
    assert image_digest(scan) != before
