"""The nnU-Net data set: held against nnU-Net's own rules, against its sources, and bad input."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.datasets.export.dataset import DataSet
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.errors import ExportError
from sammed.storage.fingerprint import sha256_of
from sammed.storage.provenance import Provenance, provenance_to_json
from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.labels import Label, LabelVolume
from tests.provenance_writing import write_provenance
from tests.sammed.datasets.conftest import Folders

NUMBERS = {"background": 0, "lung": 1, "heart": 2, "tumour": 3}  # 1, 2 and 4 in the phantom's own files


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_data_set_keeps_nnunets_rules(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
) -> None:
    done = export(gold(make_folders("a", "b", "c d")), description="lungs", license="CC0")
    assert done.folder == tmp_path / "raw" / "Dataset501_Chest"
    assert faults(done.folder) == []
    assert read_json(done.folder / "dataset.json") | {"converted_by": ""} == {
        "channel_names": {"0": "CT"},
        "labels": NUMBERS,
        "numTraining": 3,
        "file_ending": ".nii.gz",
        "name": "Chest",
        "description": "lungs",
        "licence": "CC0",
        "converted_by": "",
    }
    files = sorted(str(path.relative_to(done.folder)) for path in done.folder.rglob("*") if path.is_file())
    assert files == [
        "dataset.json",
        *(f"imagesTr/{name}_0000.nii.gz" for name in ("a", "b", "c_d")),
        *(f"labelsTr/{name}.nii.gz" for name in ("a", "b", "c_d")),
        "manifest.json",
        "splits_final.json",
    ]
    assert (done.training, done.testing, done.folds, done.labels) == (3, 0, 3, NUMBERS)


def test_the_rules_catch_what_is_wrong(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
) -> None:
    # The check above proves something only if it can fail.
    folder = export(gold(make_folders("a", "b"))).folder
    about = read_json(folder / "dataset.json")
    (folder / "dataset.json").write_text(
        json.dumps(about | {"numTraining": 7, "labels": {"background": 0, "x": 2}})
    )
    shutil.copy(folder / "imagesTr" / "a_0000.nii.gz", folder / "imagesTr" / "z_0000.nii.gz")
    image = nibabel.Nifti1Image.from_filename(folder / "labelsTr" / "b.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine @ np.diag([1, 2, 1, 1])),
        folder / "labelsTr" / "b.nii.gz",
    )
    found = " ".join(faults(folder))
    for words in ("numTraining", "not 0, 1, 2", "z_0000", "unexpected values", "GetSpacing"):
        assert words in found


def test_images_are_the_sources_and_labels_are_renumbered(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
) -> None:
    folders = make_folders("a")
    folder = export(gold(folders)).folder
    assert (folder / "imagesTr" / "a_0000.nii.gz").read_bytes() == (folders.images / "a.nii.gz").read_bytes()
    truth, written = folders.phantoms["a"].labels.voxels, voxels(folder / "labelsTr" / "a.nii.gz")
    for source, target in ((0, 0), (1, 1), (2, 2), (4, 3)):
        assert np.array_equal(written == target, truth == source)
    assert written.dtype == np.uint8


def test_labels_are_united_by_name(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    write_mask: Callable[[Path, LabelVolume, Path], Path],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
) -> None:
    folders = make_folders("a", "b")
    _, second = gold(folders)
    swapped = folders.phantoms["b"].labels.voxels.copy()
    swapped[folders.phantoms["b"].labels.voxels == 1] = 9
    labels = tuple(Label(v, n, (0, 0, 0)) for v, n in ((2, "Heart"), (4, "tumour"), (9, "LUNG")))
    other = LabelVolume(swapped, folders.phantoms["b"].labels.affine_ras_mm, labels)
    write_mask(tmp_path / "other" / "b.seg.nrrd", other, second.image)
    cases = [gold(folders)[0], replace(second, labels=tmp_path / "other" / "b.seg.nrrd")]
    done = export(cases)
    assert done.labels == NUMBERS
    assert faults(done.folder) == []
    assert np.array_equal(voxels(done.folder / "labelsTr" / "b.nii.gz") == 1, swapped == 9)
    values = [case["label"]["values"] for case in read_json(done.folder / "manifest.json")["cases"]]
    assert values == [{"1": 1, "2": 2, "4": 3}, {"2": 2, "4": 3, "9": 1}]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_that_nobody_labeled_are_ignored(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
    axis: int,
) -> None:
    folders = make_folders("a", "b")
    sparse, whole = gold(folders)
    done = export([replace(sparse, axis=axis, annotated_slices=(4, 6)), whole])
    assert done.labels == NUMBERS | {"ignore": 4}
    assert faults(done.folder) == []
    written = np.moveaxis(voxels(done.folder / "labelsTr" / "a.nii.gz"), axis, 0)
    truth = np.moveaxis(folders.phantoms["a"].labels.voxels, axis, 0)
    others = [index for index in range(len(truth)) if index not in (4, 6)]
    assert (written[others] == 4).all()
    assert np.array_equal(written[[4, 6]] == 3, truth[[4, 6]] == 4)
    assert (written[[4, 6]] < 4).all()
    assert (voxels(done.folder / "labelsTr" / "b.nii.gz") < 4).all()
    entry = read_json(done.folder / "manifest.json")["cases"][0]["label"]
    assert (entry["axis"], entry["annotated_slices"], entry["ignored_slices"]) == (axis, [4, 6], len(others))


def test_machine_labels_are_whole_though_a_person_marked_a_few_slices(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    cases = gold(make_folders("a", "b"))
    pseudo = replace(cases[0], origin="pseudo", axis=2, annotated_slices=(4,))
    assert "ignore" not in export([pseudo, cases[1]]).labels


@pytest.mark.parametrize(
    ("slices", "words"), [((4, 11), r"\[11\].*0 to 10"), ((), "no slice"), ((-1,), r"\[-1\]")]
)
def test_annotated_slices_outside_the_volume_are_refused(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    slices: int,
    words: str,
) -> None:
    with pytest.raises(ExportError, match=words):
        export(gold(make_folders("a"), axis=2, annotated_slices=slices))
    assert list((tmp_path / "raw").glob("*")) == []


def test_manifest_says_where_everything_comes_from(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    folders = make_folders("a", "b")
    image, label = folders.images / "a.nii.gz", folders.labels / "a.nii.gz"
    written = Provenance(
        "a.nii.gz", sha256_of(image), "pseudo", 2, (5,), "sap", "ab" * 32, "lite-medsam", {"lung": 0.9}
    )
    write_provenance(label, written)
    done = export(gather_cases(folders.images, folders.labels))
    manifest = read_json(done.folder / "manifest.json")
    assert (manifest["format"], manifest["version"], manifest["labels"]) == ("sammed-dataset", 1, NUMBERS)
    machine, person = manifest["cases"]
    assert machine["image"] == {
        "files": ["imagesTr/a_0000.nii.gz"],
        "source": str(image),
        "sha256": sha256_of(image),
    }
    assert (machine["label"]["source"], machine["label"]["sha256"]) == (str(label), sha256_of(label))
    assert machine["label"]["origin"] == machine["label"]["provenance"]["origin"] == "pseudo"
    assert machine["label"]["provenance"] == provenance_to_json(written)
    assert (person["label"]["origin"], person["label"]["provenance"]) == ("gold", None)
    assert done.notes[0] != ""


def test_labels_of_another_image_are_pointed_out(
    make_folders: Callable[..., Folders], export: Callable[..., DataSet]
) -> None:
    folders = make_folders("a", "b")
    write_provenance(folders.labels / "b.nii.gz", Provenance("b.nii.gz", "0" * 64, "pseudo"))
    notes = export(gather_cases(folders.images, folders.labels)).notes
    assert "b.nii.gz was made for another image" in notes[0]


def test_cases_without_labels_are_test_cases(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
) -> None:
    folders, others = make_folders("a", "b"), make_folders("t 1", name="t")
    done = export([*gold(folders), *gather_cases(others.images, None)])
    assert [path.name for path in (done.folder / "imagesTs").iterdir()] == ["t_1_0000.nii.gz"]
    assert (done.training, done.testing) == (2, 1)
    assert faults(done.folder) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "my set"}, "letters, digits"),
        ({"name": "../x"}, "letters, digits"),
        ({"name": ""}, "letters, digits"),
        ({"dataset_id": 0}, "1 to 999"),
        ({"dataset_id": 1000}, "1 to 999"),
        ({"file_ending": ".png"}, r"not in '\.png'"),
    ],
)
def test_settings_that_nnunet_refuses(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    settings: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(ExportError, match=words):
        export(gold(make_folders("a")), **settings)
    assert not list(tmp_path.glob("raw/*"))


def test_a_number_belongs_to_one_data_set(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    cases = gold(make_folders("a"))
    export(cases)
    with pytest.raises(ExportError, match=r"Dataset501_Chest already has the number 501"):
        export(cases, name="Other")
    export(cases, name="Other", dataset_id=502)


def test_nothing_to_train_on(make_folders: Callable[..., Folders], export: Callable[..., DataSet]) -> None:
    with pytest.raises(ExportError, match="No case has labels"):
        export(gather_cases(make_folders("a").images, None))


def test_labels_on_another_grid_are_refused(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
) -> None:
    cases = gold(make_folders("a", "b"))
    moved = tmp_path / "moved.nii.gz"
    assert cases[1].labels is not None
    image = nibabel.Nifti1Image.from_filename(cases[1].labels)
    nibabel.save(
        nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine @ np.diag([1, 1, 1.2, 1])), moved
    )
    with pytest.raises(GeometryMismatchError, match=r"moved\.nii\.gz"):
        export([cases[0], replace(cases[1], labels=moved)])
    assert not list((tmp_path / "raw").glob("*"))


def test_damaged_image_is_named_and_nothing_is_left(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
) -> None:
    cases = gold(make_folders("a", "b"))
    cases[1].image.write_bytes(cases[1].image.read_bytes()[:200])
    with pytest.raises(VolumeError, match=r"b\.nii\.gz"):
        export(cases)
    assert not list((tmp_path / "raw").glob("*"))
