"""A labeled set as a data set: what is trained on, what is ignored, what is only tested on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.datasets.export.cases import cases_of_set
from sammed.datasets.export.dataset import DataSet
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.errors import SetError
from sammed_volumes.labels import Label

ORGANS = (Label(2, "Spleen", (1, 2, 3)), Label(7, "Liver", (4, 5, 6)))
UNKNOWN = 9
SHAPE = (11, 7, 5)  # the slices lie along the last axis, which is the thickest
AFFINE = np.diag([1.0, 1.0, 4.0, 1.0])


def masks(seed: int) -> np.ndarray:
    """Voxels of the background, of both organs, and some that the file itself calls unknown."""
    return np.random.default_rng(seed).choice([0, 2, 7, UNKNOWN], SHAPE).astype(np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(name: str, voxels: np.ndarray, shift_mm: float = 0.0) -> Path:
        path = tmp_path / "set" / name
        path.parent.mkdir(exist_ok=True)
        affine = AFFINE.copy()
        affine[0, 3] += shift_mm
        nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
        return path.relative_to(tmp_path / "set")

    return save


@pytest.fixture
def labeled_set(tmp_path: Path, save: Any) -> LabeledSet:
    """Gold, partly gold and pseudo-labeled cases, one without labels, one to test on."""
    rng = np.random.default_rng(5)
    images = {
        name: save(f"{name}.nii.gz", rng.normal(100, 20, SHAPE).astype(np.float32))
        for name in ("whole", "partial", "machine", "bare", "tested")
    }
    labels = {
        name: save(f"{name}_label.nii.gz", masks(seed))
        for seed, name in enumerate(("whole", "partial", "machine", "tested"))
    }
    doubtful = np.zeros(SHAPE, dtype=np.uint8)
    doubtful[2:5, 1:3] = 1
    cases = (
        Case("whole", images["whole"], labels["whole"], "gold"),
        Case("partial", images["partial"], labels["partial"], "gold", annotated_slices=(1, 3)),
        Case(
            *("machine", images["machine"], labels["machine"], "coarse", 0.8),
            ignore=save("machine_ignore.nii.gz", doubtful),
        ),
        Case("bare", images["bare"]),
        Case("tested", images["tested"], labels["tested"], "gold"),
    )
    return LabeledSet(tmp_path / "set", ORGANS, cases, {"tested": "test"}, ignore_value=UNKNOWN)


def test_the_set_becomes_a_data_set(
    labeled_set: LabeledSet,
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
    voxels: Callable[[Path], np.ndarray],
) -> None:
    written = export(cases_of_set(labeled_set))
    assert faults(written.folder) == []
    assert written.labels == {"background": 0, "Spleen": 1, "Liver": 2, "ignore": 3}
    assert (written.training, written.testing) == (3, 2)
    testing = {path.name for path in (written.folder / "imagesTs").iterdir()}
    assert testing == {"bare_0000.nii.gz", "tested_0000.nii.gz"}, "nobody trains on what is tested on"

    def expected(seed: int) -> np.ndarray:
        own = masks(seed)
        return np.select([own == 2, own == 7, own == UNKNOWN], [1, 2, 3], 0)

    found = {name: voxels(written.folder / f"labelsTr/{name}.nii.gz") for name in ("whole", "partial")}
    assert np.array_equal(found["whole"], expected(0))
    partial = np.full(SHAPE, 3)
    partial[:, :, [1, 3]] = expected(1)[:, :, [1, 3]]
    assert np.array_equal(found["partial"], partial), "slices that nobody marked are unknown"
    machine = expected(2)
    machine[2:5, 1:3] = 3
    assert np.array_equal(voxels(written.folder / "labelsTr/machine.nii.gz"), machine)


def test_only_gold_is_validated_on(labeled_set: LabeledSet, export: Callable[..., DataSet]) -> None:
    import json

    written = export(cases_of_set(labeled_set))
    folds = json.loads((written.folder / "splits_final.json").read_text())
    assert sorted(name for fold in folds for name in fold["val"]) == ["partial", "whole"]
    assert all("machine" in fold["train"] for fold in folds)


def test_a_set_without_labels_to_train_on(labeled_set: LabeledSet) -> None:
    bare = labeled_set.keep(lambda case: case.name in ("bare", "tested"))
    with pytest.raises(SetError, match=r"set has no labeled case outside the test split"):
        cases_of_set(bare)


def test_voxels_to_ignore_on_another_grid(
    labeled_set: LabeledSet, save: Any, export: Callable[..., DataSet]
) -> None:
    from sammed_volumes.errors import GeometryMismatchError

    small = save("small.nii.gz", np.zeros((3, 3, 3), dtype=np.uint8), shift_mm=0.3)
    cases = [replace(case, ignore=small) if case.name == "machine" else case for case in labeled_set.cases]
    with pytest.raises(GeometryMismatchError):
        export(cases_of_set(labeled_set.with_cases(cases)))
