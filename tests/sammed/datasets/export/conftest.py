"""Data sets for nnU-Net, and what nnU-Net v2 requires of them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from sammed.datasets.export.dataset import DataSet
from sammed.datasets.export.nnunet import export_nnunet
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed_volumes.labels import LabelVolume

from ..conftest import save_mask


@pytest.fixture
def write_mask() -> Callable[[Path, LabelVolume, Path], Path]:
    """`write_mask(path, labels, image)`: labels on the grid of an image file."""
    return save_mask


@pytest.fixture
def gold() -> Callable[..., list[Case]]:
    """`gold(folders, **changes)`: the cases of folders, with changes."""
    return lambda folders, **changes: [
        replace(case, **changes) for case in gather_cases(folders.images, folders.labels)
    ]


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., DataSet]:
    """`export(cases, **settings)`: an nnU-Net data set in `tmp_path/raw`, of cases or gathered ones."""

    def write(cases: Gathered | Sequence[Case], **settings: Any) -> DataSet:
        gathered = cases if isinstance(cases, Gathered) else Gathered(tuple(cases))
        return export_nnunet(gathered, tmp_path / "raw", **{"name": "Chest", "dataset_id": 501, **settings})

    return write


@pytest.fixture
def voxels() -> Callable[[Path], np.ndarray]:
    """An image's voxels X Y Z by ITK, which knows nothing of how they were written."""
    return lambda path: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).transpose(2, 1, 0)


@pytest.fixture
def faults() -> Callable[[Path], list[str]]:
    """`faults(folder)`: everything that nnU-Net would object to; empty for a good data set."""
    return dataset_faults


# What nnU-Net asks of a raw data set, from its documentation; a fault is one sentence.

REQUIRED_KEYS = {"channel_names", "labels", "numTraining", "file_ending"}


def dataset_faults(dataset: Path) -> list[str]:
    """Everything that nnU-Net would object to; empty for a good data set."""
    about = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
    found = [f"dataset.json lacks {key}" for key in sorted(REQUIRED_KEYS - set(about))]
    if found:
        return found
    if not re.fullmatch(r"Dataset\d{3}_[A-Za-z0-9_-]+", dataset.name):
        found.append(f"the folder is named {dataset.name}")
    found += _label_faults(about["labels"])
    ending, channels = about["file_ending"], sorted(about["channel_names"], key=int)
    cases = sorted(path.name.removesuffix(ending) for path in (dataset / "labelsTr").iterdir())
    if len(cases) != about["numTraining"]:
        found.append(f"numTraining is {about['numTraining']}, but there are {len(cases)} cases")
    expected = {f"{case}_{int(channel):04d}{ending}" for case in cases for channel in channels}
    present = {path.name for path in (dataset / "imagesTr").iterdir()}
    found += [f"imagesTr: {name} is missing or too much" for name in sorted(expected ^ present)]
    for path in (dataset / "imagesTs").iterdir():
        if not re.fullmatch(rf".+_\d{{4}}{re.escape(ending)}", path.name):
            found.append(f"imagesTs/{path.name} has a wrong name")
    for case in cases:
        images = [dataset / "imagesTr" / f"{case}_{int(channel):04d}{ending}" for channel in channels]
        found += _case_faults(images, dataset / "labelsTr" / f"{case}{ending}", set(about["labels"].values()))
    return found + list(_split_faults(dataset, cases))


def _label_faults(labels: dict[str, int]) -> list[str]:
    found = []
    if sorted(labels.values()) != list(range(len(labels))):
        found.append(f"the label values are not 0, 1, 2 ...: {labels}")
    if labels.get("background") != 0:
        found.append("background is not 0")
    if "ignore" in labels and labels["ignore"] != max(labels.values()):
        found.append("ignore is not the highest value")
    return found


def _case_faults(images: list[Path], label: Path, values: set[int]) -> Iterator[str]:
    mask = SimpleITK.ReadImage(str(label))
    if mask.GetDimension() != 3:
        yield f"{label.name} has {mask.GetDimension()} dimensions"
    numbers = SimpleITK.GetArrayViewFromImage(mask)
    if numbers.dtype.kind not in "ui":
        yield f"{label.name} holds {numbers.dtype}"
    if not set(np.unique(numbers).tolist()) <= values:
        yield f"{label.name} holds unexpected values {set(np.unique(numbers).tolist()) - values}"
    for path in images:
        image = SimpleITK.ReadImage(str(path))
        if not np.isfinite(SimpleITK.GetArrayViewFromImage(image)).all():
            yield f"{path.name} holds NaN or infinity"
        for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            ours, theirs = getattr(mask, what)(), getattr(image, what)()
            if len(ours) != len(theirs) or not np.allclose(ours, theirs, atol=1e-6):
                yield f"{label.name} and {path.name} differ: {what} {ours} and {theirs}"


def _split_faults(dataset: Path, cases: list[str]) -> Iterator[str]:
    path = dataset / "splits_final.json"
    for fold, split in enumerate(json.loads(path.read_text()) if path.exists() else []):
        if set(split) != {"train", "val"}:
            yield f"fold {fold} has the keys {sorted(split)}"
        elif unknown := set(split["train"] + split["val"]) - set(cases):
            yield f"fold {fold} names cases that don't exist: {sorted(unknown)}"
        elif not split["train"] or not split["val"]:
            yield f"fold {fold} is empty on one side"
