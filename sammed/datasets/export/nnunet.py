"""nnU-Net v2: a raw data set, `DatasetXXX_Name`, as its documentation lays it out.

    DatasetXXX_Name/
        dataset.json  splits_final.json  manifest.json
        imagesTr/CASE_0000.nii.gz    labelsTr/CASE.nii.gz    imagesTs/CASE_0000.nii.gz

nnU-Net looks for `splits_final.json` in `$nnUNet_preprocessed/DatasetXXX_Name/`: copy it there after
`nnUNetv2_plan_and_preprocess` and before `nnUNetv2_train`. It has exactly the folds that the data allow; for
any other fold nnU-Net samples cases itself, including pseudo-labels.
"""

from __future__ import annotations

import re
from pathlib import Path

from sammed.datasets.export.dataset import Contents, DataSet, channel_names, write_contents
from sammed.datasets.export.folds import Folds, plan_folds
from sammed.datasets.export.origins import check_is_data_set, write_origins
from sammed.datasets.export.whole_folder import whole_folder
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.errors import ExportError
from sammed.storage.json_file import write_json
from sammed.version import __version__

SPLITS_NAME = "splits_final.json"


def export_nnunet(
    gathered: Gathered,
    folder: Path,
    *,
    name: str,
    dataset_id: int,
    description: str = "",
    license: str = "",
    modality: str | None = None,
    file_ending: str | None = None,
    folds: int = 5,
    overwrite: bool = False,
) -> DataSet:
    """Write gathered cases as `folder/DatasetXXX_Name` (`folder` is `$nnUNet_raw`); return what was written.

    Labels are numbered from 1 without gaps. Slices of gold cases that nobody labeled get the label `ignore`,
    the highest value. Folds validate on gold cases only. Files keep the ending that all images share if
    nnU-Net reads it; otherwise, or with `file_ending`, they are converted. The folder appears complete or not
    at all.

    Raises ExportError for a name or number that nnU-Net does not accept, an existing data set (unless
    `overwrite`), and cases that do not fit together; VolumeError for files that can't be read.
    """
    target = folder / f"Dataset{_checked_id(dataset_id):03d}_{_checked_name(name)}"
    _check_number_free(target, dataset_id)
    if target.exists() and overwrite:
        check_is_data_set(target)
    with whole_folder(target, overwrite=overwrite) as partial:
        contents = write_contents(partial, gathered, file_ending=file_ending, number_channels=True)
        plan = plan_folds(contents.records, folds)
        channels = channel_names(contents.records, modality)
        write_json(partial / "dataset.json", _dataset_json(contents, channels, name, description, license))
        if splits := _splits(contents, plan):
            write_json(partial / SPLITS_NAME, splits)
        write_origins(partial, name=name, labels=contents.labels, records=contents.records)
    return contents.data_set(target, len(splits), (*plan.notes, _advice(target.name, len(splits))))


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ExportError(
            f"The name of a data set has only letters, digits, - and _; {name!r} has other characters."
        )
    return name


def _checked_id(dataset_id: int) -> int:
    if not 1 <= dataset_id <= 999:
        raise ExportError(f"nnU-Net's data set numbers are 1 to 999, not {dataset_id}.")
    return dataset_id


def _check_number_free(target: Path, dataset_id: int) -> None:
    """nnU-Net finds a data set by its number and stops where two share it."""
    for other in target.parent.glob(f"Dataset{dataset_id:03d}_*"):
        if other.name != target.name:
            raise ExportError(f"{other} already has the number {dataset_id}; choose another.")


def _dataset_json(
    contents: Contents, channels: dict[str, str], name: str, description: str, license: str
) -> dict[str, object]:
    optional = {"description": description, "licence": license}
    return {
        "channel_names": channels,
        "labels": contents.labels,
        "numTraining": len(contents.training),
        "file_ending": contents.file_ending,
        "name": name,
        **{key: text for key, text in optional.items() if text},
        "converted_by": f"sammed {__version__}",
    }


def _splits(contents: Contents, plan: Folds) -> list[dict[str, list[str]]]:
    """Return what nnU-Net reads: the training and validation cases of each fold.

    Without a fold, gold training cases also serve as validation cases, so that nnU-Net runs and does not
    create folds of its own; without a gold case there is nothing to write.
    """
    splits = [
        {"train": list(plan.training(fold)), "val": list(names)} for fold, names in enumerate(plan.validation)
    ]
    gold = sorted(record.name for record in contents.training if record.case.is_gold)
    if not splits and gold:
        splits = [{"train": list(plan.cases), "val": gold}]
    return splits


def _advice(name: str, splits: int) -> str:
    """Return what to do with the splits, so that nnU-Net does not create its own."""
    if splits == 0:
        return "Train nnU-Net with the fold 'all'; in its numbered folds it would validate on pseudo-labels."
    last = "fold 0 alone" if splits == 1 else f"the folds 0 to {splits - 1} alone"
    return f"Copy {SPLITS_NAME} to $nnUNet_preprocessed/{name} before you train, and train {last}."
