"""MONAI: a folder with a datalist, as `load_decathlon_datalist` and Auto3DSeg read it.

    FOLDER/
        datalist.json  manifest.json
        imagesTr/CASE.nii.gz    labelsTr/CASE.nii.gz    imagesTs/CASE.nii.gz

Paths in the list are relative to the folder. An item with a `fold` is validated on in that fold and trained
on in the others; pseudo-labels have none, so they are only ever trained on.
"""

from __future__ import annotations

from pathlib import Path

from sammed.datasets.export.dataset import Contents, DataSet, channel_names, write_contents
from sammed.datasets.export.folds import Folds, plan_folds
from sammed.datasets.export.json_file import write_json
from sammed.datasets.export.origins import CaseRecord, check_is_data_set, write_origins
from sammed.datasets.export.whole_folder import whole_folder
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.version import __version__

DATALIST_NAME = "datalist.json"


def export_monai(
    gathered: Gathered,
    folder: Path,
    *,
    name: str,
    description: str = "",
    license: str = "",
    modality: str | None = None,
    file_ending: str | None = None,
    folds: int = 5,
    overwrite: bool = False,
) -> DataSet:
    """Write cases and their datalist as `folder` and return what was written.

    Labels are numbered from 1 without gaps; slices of gold cases that nobody labeled get the label
    `ignore`, the highest value, which the list names: keep it out of the loss. Files keep the ending that
    all images share if it is .nii.gz, .nrrd or .mha, else, or if `file_ending` says so, they are converted.
    The folder appears whole or not at all.

    Raises ExportError for a folder that exists already (unless `overwrite`) and cases that don't fit
    together; VolumeError for files that can't be read.
    """
    folder = folder.absolute()
    if overwrite and folder.exists():
        check_is_data_set(folder)
    with whole_folder(folder, overwrite=overwrite) as partial:
        contents = write_contents(partial, gathered, file_ending=file_ending, number_channels=False)
        plan = plan_folds(contents.records, folds)
        datalist = {
            "name": name,
            "description": description,
            "licence": license,
            "converted_by": f"sammed {__version__}",
            **_datalist(contents, plan, channel_names(contents.records, modality)),
        }
        write_json(partial / DATALIST_NAME, datalist)
        write_origins(partial, name=name, labels=contents.labels, records=contents.records)
    return contents.data_set(folder, len(plan.validation), plan.notes)


def _datalist(contents: Contents, plan: Folds, channels: dict[str, str]) -> dict[str, object]:
    return {
        "modality": channels,
        "labels": {str(value): label for label, value in contents.labels.items()},
        "numTraining": len(contents.training),
        "numTest": len(contents.testing),
        "training": [_training_item(record, plan.of(record.name)) for record in contents.training],
        "testing": [{"image": _image(record)} for record in contents.testing],
    }


def _training_item(record: CaseRecord, fold: int | None) -> dict[str, object]:
    """Image, label, `pseudo` (whether a machine labeled it) and, if it is ever validated on, `fold`.

    MONAI takes any text in an item for a path, so no other text is put there.
    """
    pseudo = not record.case.is_gold
    item: dict[str, object] = {"image": _image(record), "label": record.label_file, "pseudo": pseudo}
    return item if fold is None else {**item, "fold": fold}


def _image(record: CaseRecord) -> str | list[str]:
    """One file, or a list with a file for each channel."""
    return record.image_files[0] if len(record.image_files) == 1 else list(record.image_files)
