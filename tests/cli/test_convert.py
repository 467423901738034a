"""`sammed convert`: every format and orientation, exactly; names, colors and provenance go along."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.storage.provenance import Provenance, read_provenance
from sammed_volumes.formats import LABEL_SUFFIXES, read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume, default_label
from sammed_volumes.orientation import axis_codes
from sammed_volumes.volume import Volume
from tests.provenance_writing import write_provenance

ORIENTATIONS = [
    "".join(pair[way] for pair, way in zip(order, ways, strict=True))
    for order in itertools.permutations(("LR", "PA", "IS"))
    for ways in itertools.product((0, 1), repeat=3)
]
NAMED = (Label(1, "Leber", (200, 30, 60)), Label(4, "Milz, groß", (1, 2, 3)), default_label(300))
AFFINE = np.array([[0.7, -0.1, 0.2, -91.0], [0.1, 0.8, -0.3, 37.5], [-0.1, 0.2, 2.4, 11.25], [0, 0, 0, 1.0]])
Run = Callable[..., Any]


@pytest.fixture
def marks() -> LabelVolume:
    voxels = np.zeros((7, 11, 5), np.uint16)
    voxels[1:3, 2:9, 1] = 1
    voxels[3:6, 4, 1:4] = 4
    voxels[6, 10, 4] = 300
    return LabelVolume(voxels, AFFINE, NAMED)


@pytest.fixture
def source(tmp_path: Path, marks: LabelVolume) -> Path:
    path = tmp_path / "marks.seg.nrrd"
    write_labels(marks, path, like=Volume(marks.voxels, AFFINE))
    return path


def test_all_orientations_and_formats_lead_back(sammed: Run, source: Path, marks: LabelVolume) -> None:
    """One long walk through 48 orientations, and through all formats many times."""
    current = source
    for number, codes in enumerate(ORIENTATIONS):
        suffix = LABEL_SUFFIXES[number % len(LABEL_SUFFIXES)]
        target = source.with_name(f"step{number}{suffix}")
        run = sammed("convert", current, target, "--orientation", codes, "--json")
        assert run.exit_code == 0, run.stderr
        assert run.json["orientation"] == codes
        assert run.json["resampled"] is False
        assert axis_codes(read_labels(target).affine_ras_mm) == codes
        current = target
    back = source.with_name("back.nrrd")
    assert sammed("convert", current, back, "--orientation", axis_codes(AFFINE)).exit_code == 0
    found = read_labels(back)
    np.testing.assert_array_equal(found.voxels, marks.voxels)
    np.testing.assert_allclose(found.affine_ras_mm, AFFINE, atol=1e-4)
    assert found.labels == NAMED


@pytest.mark.parametrize("first", LABEL_SUFFIXES)
@pytest.mark.parametrize("second", LABEL_SUFFIXES)
def test_every_format_to_every_other(
    sammed: Run, source: Path, marks: LabelVolume, first: str, second: str
) -> None:
    one, other = source.with_name(f"one{first}"), source.with_name(f"other{second}")
    assert sammed("convert", source, one).exit_code == 0
    assert sammed("convert", one, other).exit_code == 0
    found = read_labels(other)
    np.testing.assert_array_equal(found.voxels, marks.voxels)
    np.testing.assert_allclose(found.affine_ras_mm, AFFINE, atol=1e-5)
    assert found.labels == NAMED


def test_like_an_image_of_any_orientation_and_extent(sammed: Run, source: Path, marks: LabelVolume) -> None:
    image = nibabel.Nifti1Image(np.zeros((12, 14, 9), np.int16), AFFINE)
    image = image.as_reoriented(nibabel.orientations.axcodes2ornt("SLP"))
    nibabel.save(image, source.with_name("image.nii"))
    target = source.with_name("out.nii.gz")
    run = sammed("convert", source, target, "--like", source.with_name("image.nii"), "--json")
    assert run.exit_code == 0, run.stderr
    assert run.json["shape"] == list(image.shape)
    found, volume = read_labels(target), read_volume(source.with_name("image.nii"))
    np.testing.assert_array_equal(found.affine_ras_mm, volume.affine_ras_mm)
    for label in NAMED:
        ours = {tuple(np.round(p, 3)) for p in places(marks, label.value)}
        assert ours == {tuple(np.round(p, 3)) for p in places(found, label.value)}


def places(labels: LabelVolume, value: int) -> np.ndarray:
    indices = np.argwhere(labels.voxels == value)
    found: np.ndarray = indices @ labels.affine_ras_mm[:3, :3].T + labels.affine_ras_mm[:3, 3]
    return found


@pytest.fixture
def finer(source: Path) -> Path:
    path = source.with_name("finer.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((14, 22, 10), np.int16), AFFINE @ np.diag([0.6, 0.6, 0.6, 1])), path
    )
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd"])
def test_another_lattice_needs_resample_and_the_file_says_so(
    sammed: Run, source: Path, finer: Path, suffix: str
) -> None:
    target = source.with_name(f"out{suffix}")
    run = sammed("convert", source, target, "--like", finer)
    assert run.exit_code == 1
    assert "the spacing differs" in run.sentence
    assert "sammed convert --like IMAGE --resample" in run.sentence
    assert not target.exists()
    run = sammed("convert", source, target, "--like", finer, "--resample", "--json")
    assert run.exit_code == 0, run.stderr
    assert run.json["resampled"] is True
    assert "resampled onto the grid of" in run.stderr
    found = read_labels(target)
    assert found.resampled
    again = source.with_name(f"again{'.mha' if suffix == '.seg.nrrd' else '.nrrd'}")
    assert sammed("convert", target, again, "--json").json["resampled"] is True
    assert read_labels(again).resampled
    assert not read_labels(source).resampled


def test_provenance_goes_along_with_its_slices(sammed: Run, source: Path) -> None:
    write_provenance(source, Provenance("scan.nii.gz", "a" * 64, "gold", 2, (1, 3)))
    target = source.with_name("out.nii.gz")
    codes = axis_codes(AFFINE)
    flipped = codes[2].translate(str.maketrans("IS", "SI")) + codes[:2]
    run = sammed("convert", source, target, "--orientation", flipped, "--json")
    assert run.exit_code == 0, run.stderr
    assert len(run.json["files"]) == 3
    found = read_provenance(target)
    assert found is not None
    assert (found.axis, found.annotated_slices, found.origin) == (0, (1, 3), "gold")
    assert read_labels(target).voxels[3].any()


def test_provenance_names_the_interpolation(sammed: Run, source: Path, finer: Path) -> None:
    write_provenance(source, Provenance("scan.nii.gz", "a" * 64, "pseudo", 2, (1, 3), method="sap"))
    target = source.with_name("out.nii.gz")
    assert sammed("convert", source, target, "--like", finer, "--resample").exit_code == 0
    found = read_provenance(target)
    assert found is not None
    assert found.image_file == "finer.nii.gz"
    assert found.method == "sap; shape-based interpolation of signed distances"
    assert found.origin == "pseudo"
    assert found.annotated_slices


def test_a_picture(sammed: Run, tmp_path: Path) -> None:
    mask = Volume(np.arange(12, dtype=np.uint8).reshape(4, 3, 1), np.diag([-1.0, -1.0, 1.0, 1.0]))
    write_labels(LabelVolume(mask.voxels, mask.affine_ras_mm, ()), tmp_path / "a.png", like=mask)
    assert sammed("convert", tmp_path / "a.png", tmp_path / "b.nii.gz").exit_code == 0
    assert sammed("convert", tmp_path / "b.nii.gz", tmp_path / "c.png").exit_code == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "c.png").voxels, mask.voxels)


def test_a_volume_does_not_go_into_a_picture(sammed: Run, source: Path) -> None:
    run = sammed("convert", source, source.with_name("a.png"))
    assert run.exit_code == 1
    assert "a picture can't store the grid of a volume" in run.sentence


def test_nothing_is_overwritten_unasked(sammed: Run, source: Path) -> None:
    target = source.with_name("out.nii.gz")
    target.write_bytes(b"precious")
    assert "already exists" in sammed("convert", source, target).sentence
    assert target.read_bytes() == b"precious"
    assert sammed("convert", source, target, "--overwrite").exit_code == 0
    assert read_labels(target).labels == NAMED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--orientation", "RAX"), "An orientation is three letters"),
        (("--orientation", "RA"), "An orientation is three letters"),
        (("--orientation", "RAS", "--like", "marks.seg.nrrd"), "not both"),
        (("--resample",), "--like IMAGE"),
    ],
)
def test_wrong_usage(sammed: Run, source: Path, arguments: tuple[str, ...], words: str) -> None:
    run = sammed("convert", source, source.with_name("out.nii.gz"), *arguments)
    assert run.exit_code == 2
    assert words in run.sentence
    assert json.loads(sammed("convert", source, "out.nii.gz", *arguments, "--json").stdout)["error"]


def test_a_file_without_a_position_is_named(sammed: Run, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 4, 5), np.uint8), None), tmp_path / "a.nii")
    run = sammed("convert", tmp_path / "a.nii", tmp_path / "b.nrrd")
    assert run.exit_code == 0
    assert "a.nii states no position" in run.stderr
