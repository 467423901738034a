"""MONAI: a folder with a datalist, as `load_decathlon_datalist` and Auto3DSeg read it.

    FOLDER/
        datalist.json  manifest.json
        imagesTr/CASE.nii.gz    labelsTr/CASE.nii.gz    imagesTs/CASE.nii.gz

Paths in the list are relative to the folder. An item with a `fold` is a validation case of that fold and a
training case of the others. Pseudo-labels have none, so they are only used for training.
"""

from __future__ import annotations

from pathlib import Path

from sammed.datasets.export.dataset import Contents, DataSet, channel_names, write_contents
from sammed.datasets.export.folds import Folds, plan_folds
from sammed.datasets.export.origins import CaseRecord, check_is_data_set, write_origins
from sammed.datasets.export.whole_folder import whole_folder
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.storage.json_file import write_json
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
    """Write gathered cases and their datalist as `folder` and return what was written.

    Labels are numbered from 1 without gaps. Slices of gold cases that nobody labeled get the label `ignore`,
    the highest value, which the list names; exclude it from the loss. Files keep the ending that all images
    share if it is .nii.gz, .nrrd or .mha; otherwise, or with `file_ending`, they are converted. The folder
    appears complete or not at all.

    Raises ExportError for an existing folder (unless `overwrite`) and for cases that do not fit together;
    VolumeError for files that can't be read.
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
    """Return image, label, `pseudo` (whether a machine labeled it) and, for validation cases, `fold`.

    MONAI takes any text in an item for a path, so items contain no other text.
    """
    pseudo = not record.case.is_gold
    item: dict[str, object] = {"image": _image(record), "label": record.label_file, "pseudo": pseudo}
    return item if fold is None else {**item, "fold": fold}


def _image(record: CaseRecord) -> str | list[str]:
    """Return one file, or a list with a file for each channel."""
    return record.image_files[0] if len(record.image_files) == 1 else list(record.image_files)
