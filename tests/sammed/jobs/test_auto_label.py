"""`auto-label`: the grid, the provenance, the formats, and what happens to bad files."""

import gzip
import itertools
import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.batch import labeler
from sammed.batch.manifest import MANIFEST_NAME
from sammed.batch.result import LabelingResult
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.errors import ConfigError, SkillError
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill, skill_digest, write_skill
from sammed.storage.fingerprint import sha256_of
from sammed.storage.outputs import beside
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.orientation import axis_codes
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.conftest import Case
from tests.sammed.jobs.conftest import provenance_of, reason, written

# All 48: the patient's axes in any order, each in either direction.
ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]


def run(*inputs: Path, **settings: Any) -> LabelingResult:
    return auto_label(AutoLabelRequest(inputs=inputs, **settings), Silent())


def files(folder: Path) -> set[str]:
    """All files but those of the cache, which has tests of its own."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != "cache"}


def reoriented(volume: Volume, axcodes: str) -> Volume:
    """The same voxels in the same place, the array stored along other axes."""
    image = nibabel.Nifti1Image(volume.voxels, volume.affine_ras_mm)
    now = nibabel.orientations.io_orientation(image.affine)
    turned = image.as_reoriented(
        nibabel.orientations.ornt_transform(now, nibabel.orientations.axcodes2ornt(axcodes))
    )
    return Volume(np.ascontiguousarray(turned.dataobj), turned.affine)


def as_ras(path: Path) -> np.ndarray:
    return np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Limit files to `size` bytes, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_image_gets_its_labels_beside_it(case: Case, skill: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    result = run(case.image)
    (item,) = result.items
    assert (item.status, item.image, item.error) == ("done", case.image, None)
    assert item.output == tmp_path / "Frau Süß_label.nii.gz"
    names = {"Frau Süß_label.nii.gz", "Frau Süß_label.json", "Frau Süß_label.provenance.json"}
    assert files(tmp_path) - before == names
    found = read_labels(written(item))
    assert [label.name for label in found.labels] == ["lung", "heart", "tumour"]
    counts = found.voxel_counts()
    assert set(item.labels) == {label.name for label in found.labels if counts[label.value]}
    assert item.slices == np.count_nonzero(found.voxels.any(axis=(0, 1))) > 0


@pytest.mark.parametrize("generator", ["sap", "propagation", "classification"])
def test_every_generator_labels_slices_that_nobody_annotated(case: Case, skill: Path, generator: str) -> None:
    (item,) = run(case.image, generator=generator).items
    annotations = read_skill(skill).annotations
    others = np.setdiff1d(np.arange(13), annotations.indices)
    assert read_labels(written(item)).voxels[:, :, others].any()
    assert provenance_of(written(item)).method == f"sam_auto/{generator}"


def test_the_grid_is_the_input_s_to_the_last_bit(case: Case, skill: Path) -> None:
    """Codes, units and an affine that differs between qform and sform: all of it stays."""
    image = nibabel.Nifti1Image.from_filename(case.image)
    header = image.header.copy()
    header.set_qform(image.affine, code=2)
    header.set_sform(image.affine + np.diag([0, 0, 0.01, 0]), code=4)
    header.set_xyzt_units("mm", "sec")
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), None, header), case.image)
    (item,) = run(case.image).items
    given = nibabel.Nifti1Image.from_filename(case.image).header
    found = nibabel.Nifti1Image.from_filename(written(item)).header
    for field in (
        "pixdim",
        "qform_code",
        "sform_code",
        "srow_x",
        "srow_y",
        "srow_z",
        "xyzt_units",
        "quatern_b",
    ):
        np.testing.assert_array_equal(found[field], given[field], err_msg=field)
    assert found["dim"].tolist() == given["dim"].tolist()
    assert found.get_data_dtype() == np.uint8


def test_annotated_slices_keep_the_annotator_s_masks(case: Case, skill: Path) -> None:
    (item,) = run(case.image).items
    annotations = read_skill(skill).annotations
    truth, found = read_labels(case.labels).voxels, read_labels(written(item)).voxels
    np.testing.assert_array_equal(found[:, :, annotations.indices], truth[:, :, annotations.indices])
    assert provenance_of(written(item)).annotated_slices == annotations.indices


def test_another_volume_has_no_annotated_slices(
    tmp_path: Path, skill: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]
) -> None:
    image = save(phantom(seed=1).volume, tmp_path / "other.nii.gz")
    (item,) = run(image).items
    assert provenance_of(written(item)).annotated_slices == ()


def test_provenance_is_what_export_reads(case: Case, skill: Path, tmp_path: Path) -> None:
    (item,) = run(case.image).items
    found = provenance_of(written(item))
    assert (found.origin, found.axis, found.backbone) == ("pseudo", 2, "tiny")
    assert (found.image_file, found.image_sha256) == (case.image.name, sha256_of(case.image))
    assert found.skill_digest == skill_digest(read_skill(skill))
    assert found.scores is not None
    assert all(0 <= score <= 1 for score in found.scores.values())
    (exported,) = gather_cases(case.image, item.output)
    assert exported.origin == "pseudo"
    assert exported.annotated_slices == read_skill(skill).annotations.indices


@pytest.fixture(scope="module")
def kept_reference() -> dict[str, np.ndarray]:
    """The labels of the phantom as `case` stores it, in RAS; computed once."""
    return {}


@pytest.fixture
def reference_ras(case: Case, skill: Path, kept_reference: dict[str, np.ndarray]) -> np.ndarray:
    if not kept_reference:
        kept_reference["labels"] = as_ras(written(run(case.image).items[0]))
    return kept_reference["labels"]


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_one_anatomy_gets_one_labeling_however_it_is_stored(
    reference_ras: np.ndarray,
    skill: Path,
    tmp_path: Path,
    phantom: Callable[..., Phantom],
    save: Callable[[Volume, Path], Path],
    axcodes: str,
) -> None:
    stored = reoriented(phantom().volume, axcodes)
    image = save(stored, tmp_path / f"{axcodes}.nii.gz")
    turned = written(run(image).items[0])
    assert axis_codes(read_labels(turned).affine_ras_mm) == axcodes
    assert read_labels(turned).shape == stored.shape
    np.testing.assert_array_equal(as_ras(turned), reference_ras)


@pytest.mark.parametrize("suffix", [".nii", ".seg.nrrd", ".nrrd", ".mha"])
def test_formats_of_label_volumes(case: Case, skill: Path, tmp_path: Path, suffix: str) -> None:
    (item,) = run(case.image, output=tmp_path / f"labels{suffix}").items
    assert item.output == tmp_path / f"labels{suffix}"
    assert [label.name for label in read_labels(written(item)).labels] == ["lung", "heart", "tumour"]
    beside = run(case.image, suffix=suffix).items[0].output
    assert beside == tmp_path / f"Frau Süß_label{suffix}"


@pytest.fixture
def folder(tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]) -> Path:
    """`scans` with two whole volumes, a bad one between them, and files that are no images."""
    scans = tmp_path / "scans"
    save(phantom(seed=1).volume, scans / "a.nii.gz")
    save(phantom(seed=2).volume, scans / "ward 7/c.nii.gz")
    (scans / "b.nii.gz").write_bytes(gzip.compress(b"no image")[:-3])
    (scans / "._a.nii.gz").write_bytes(b"what macOS leaves behind")
    (scans / "notes.txt").write_text("nothing")
    save(phantom().volume, scans / "old_label.nii.gz")
    return scans


def test_a_folder_with_a_bad_file(skill: Path, folder: Path, tmp_path: Path) -> None:
    result = run(folder, output=tmp_path / "new" / "labels")
    assert [item.status for item in result.items] == ["done", "failed", "done"]
    assert str(folder / "b.nii.gz") in reason(result.items[1])
    expected = {
        f"{name}_label{end}" for name in ("a", "ward 7/c") for end in (".nii.gz", ".json", ".provenance.json")
    }
    assert files(tmp_path / "new") == {f"labels/{name}" for name in expected | {MANIFEST_NAME}}


def test_a_batch_resumes(skill: Path, folder: Path, tmp_path: Path) -> None:
    """Existing labels are skipped; --overwrite labels again."""
    (folder / "b.nii.gz").unlink()
    (folder / "a_label.nii.gz").write_bytes(b"a person's")
    result = run(folder)
    assert [item.status for item in result.items] == ["skipped", "done"]
    assert (folder / "a_label.nii.gz").read_bytes() == b"a person's"
    again = run(folder, overwrite=True)
    assert [item.status for item in again.items] == ["done", "done"]
    assert provenance_of(folder / "a_label.nii.gz").origin == "pseudo"


def test_one_image_is_not_skipped_but_refused(case: Case, skill: Path, tmp_path: Path) -> None:
    output = tmp_path / "Frau Süß_label.nii.gz"
    output.write_bytes(b"a person's")
    with pytest.raises(OutputError, match=re.escape(f"{output} already exists")):
        run(case.image)
    assert output.read_bytes() == b"a person's"
    assert run(case.image, overwrite=True).items[0].status == "done"


def test_interrupted_in_the_middle(
    skill: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the labels of the second volume are written: the first stays, of the second nothing."""
    (folder / "b.nii.gz").unlink()
    calls: list[Path] = []
    write = write_labels

    def interrupted_write(labels: LabelVolume, path: Path, **settings: Any) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(labels, path, **settings)

    monkeypatch.setattr(labeler, "write_labels", interrupted_write)
    result = run(folder, output=tmp_path / "labels")
    assert result.interrupted
    assert [item.image.name for item in result.items] == ["a.nii.gz"]
    assert files(tmp_path / "labels") == {
        MANIFEST_NAME,
        "a_label.nii.gz",
        "a_label.json",
        "a_label.provenance.json",
    }


def test_a_disk_that_fills_up(case: Case, skill: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    with disk_of(300):
        (item,) = run(case.image).items
    assert item.status == "failed"
    assert str(case.image) in reason(item)
    assert "can't be written" in reason(item)
    assert files(tmp_path) == before


def test_an_output_that_can_not_be_made(case: Case, skill: Path, folder: Path) -> None:
    with pytest.raises(OutputError, match="can't be created") as raised:
        run(folder, output=case.image / "labels")
    assert str(case.image / "labels") in str(raised.value)


def test_missing_images_fail_and_the_others_are_done(case: Case, skill: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / "nowhere.nii.gz", tmp_path / "empty", case.image)
    assert [item.status for item in result.items] == ["failed", "failed", "done"]
    assert str(tmp_path / "nowhere.nii.gz") in reason(result.items[0])
    assert str(tmp_path / "empty") in reason(result.items[1])


def test_propagation_needs_annotated_slices(
    skill: Path, tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]
) -> None:
    image = save(phantom(seed=1).volume, tmp_path / "other.nii.gz")
    (item,) = run(image, generator="propagation").items
    assert item.status == "failed"
    assert str(image) in reason(item)
    assert "use the generator sap" in reason(item)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"auto": None}, "learn one with `sammed auto-train`", id="no generator"),
        pytest.param(
            {"backbone": "sam-vit-b"}, "learned on the backbone sam-vit-b, not on tiny", id="backbone"
        ),
        pytest.param({"backbone_digest": "0" * 64}, "their digests differ", id="other weights"),
    ],
)
def test_a_skill_that_does_not_fit(case: Case, skill: Path, change: dict[str, Any], sentence: str) -> None:
    write_skill(replace(read_skill(skill), **change), skill, overwrite=True)
    with pytest.raises(SkillError, match=sentence) as raised:
        run(case.image)
    assert "skill.safetensors" in str(raised.value)


@pytest.mark.parametrize(
    ("inputs", "output", "sentence"),
    [
        pytest.param(
            ["a/x.nii", "b/x.nii"], "labels", "Two images would be labeled into .*x_label.nii.gz", id="two"
        ),
        pytest.param(["a/x.nii", "b/y.nii"], "one.nii.gz", "one.nii.gz is one file, but", id="one file"),
        pytest.param(
            ["a/x.nii"], "picture.jpg", "Labels are written as .nii.gz, .* not as picture.jpg", id="jpg"
        ),
        pytest.param(
            ["a/x.nii"], "x.png", "no picture, so its labels can't go into x.png; use .nii.gz", id="png"
        ),
    ],
)
def test_outputs_that_can_not_be_meant(
    skill: Path, tmp_path: Path, inputs: list[str], output: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run(*(tmp_path / name for name in inputs), output=tmp_path / output)


def test_a_dicom_folder_s_labels_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = tmp_path / "series 1"
    series.mkdir()
    monkeypatch.chdir(series)
    for named in (series, Path()):
        assert beside(named, ".nii.gz").resolve() == tmp_path / "series 1_label.nii.gz"


def test_colors_and_names_come_from_the_skill(case: Case, skill: Path) -> None:
    (item,) = run(case.image).items
    assert read_labels(written(item)).labels == read_skill(skill).labels
    assert read_volume(case.image).shape == read_labels(written(item)).shape


def test_defaults() -> None:
    assert AutoLabelRequest(inputs=(Path("volume.nii.gz"),)).skill == Path("skill.safetensors")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"inputs": ()}, "nothing to label", id="no input"),
        pytest.param({"inputs": (Path("a"),), "generator": "sam"}, "no generator 'sam'", id="generator"),
        pytest.param({"inputs": (Path("a"),), "workers": 0}, "one worker or more", id="no worker"),
    ],
)
def test_requests_that_make_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        AutoLabelRequest(**settings)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
