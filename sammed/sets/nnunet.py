"""nnU-Net's raw data sets: `DatasetXXX_Name` with dataset.json, imagesTr, labelsTr, imagesTs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sammed.errors import SetError
from sammed.sets.gathered import Gathered
from sammed.sets.labelled_set import GOLD, Case, Split
from sammed_volumes.labels import Label, default_colour

_IGNORE = "ignore"


def gather_nnunet(folder: Path, *, channel: int = 0) -> Gathered:
    """The cases of a data set in the format of nnU-Net v2, one channel of each.

    Those of imagesTs are tested on, with the labels of labelsTs where that folder is there. nnU-Net's label
    `ignore` becomes the set's. Raises SetError for a folder without a readable dataset.json, regions in place
    of labels, and a data set that holds no case.
    """
    data = _dataset(folder)
    labels, ignore_value = _labels(folder, data)
    ending = str(data.get("file_ending", ".nii.gz"))
    training = _cases(folder, "Tr", ending, channel)
    testing = _cases(folder, "Ts", ending, channel)
    if not training and not testing:
        raise SetError(f"{folder} holds no *_{channel:04d}{ending} in imagesTr or imagesTs.")
    splits: dict[str, Split] = {case.name: "test" for case in testing}
    return Gathered((*training, *testing), labels, splits, ignore_value)


def _dataset(folder: Path) -> Mapping[str, Any]:
    path = folder / "dataset.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data["labels"], dict):
            return dict(data)
        raise TypeError("labels")
    except OSError as error:
        raise SetError(f"{path} can't be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SetError(f"{path} doesn't describe a data set of nnU-Net: it has no labels.") from error


def _labels(folder: Path, data: Mapping[str, Any]) -> tuple[tuple[Label, ...], int | None]:
    """Names to values as version 2 writes them, or values to names as version 1 and the decathlon do."""
    named = data["labels"]
    if all(str(key).isdecimal() for key in named):
        named = {name: int(value) for value, name in named.items()}
    if any(isinstance(value, list) for value in named.values()):
        raise SetError(
            f"{folder / 'dataset.json'} has regions, which overlap; sammed takes labels that don't."
        )
    by_value = {int(value): str(name) for name, value in named.items()}
    ignore = next((value for value, name in by_value.items() if name.casefold() == _IGNORE), None)
    labels = tuple(
        Label(value, name, default_colour(value))
        for value, name in sorted(by_value.items())
        if value not in (0, ignore)
    )
    return labels, ignore


def _cases(folder: Path, part: str, ending: str, channel: int) -> tuple[Case, ...]:
    """Images with a channel in their name as version 2 has them, or without as the decathlon does."""
    images = folder / f"images{part}"
    mark = f"_{channel:04d}{ending}"
    found = sorted(path for path in images.glob(f"*{ending}") if not path.name.startswith("."))
    numbered = [path for path in found if path.name.endswith(mark)]
    if not numbered:
        mark, numbered = ending, found
    return tuple(
        _case(path, folder / f"labels{part}", path.name.removesuffix(mark), ending) for path in numbered
    )


def _case(image: Path, labels: Path, name: str, ending: str) -> Case:
    label = labels / f"{name}{ending}"
    if not label.exists():
        return Case(name, image.absolute())
    return Case(name, image.absolute(), label.absolute(), GOLD)
