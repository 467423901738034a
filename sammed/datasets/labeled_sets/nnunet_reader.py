"""nnU-Net's raw data sets: `DatasetXXX_Name` with dataset.json, imagesTr, labelsTr, imagesTs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sammed.datasets.labeled_sets.gathered import Gathered, Problem, named_labels, names_by_value
from sammed.datasets.labeled_sets.labeled_set import GOLD, Case, Split
from sammed.errors import SetError
from sammed_volumes.json_text import MALFORMED, parse_json
from sammed_volumes.labels import Label

_IGNORE = "ignore"
_NUMBER = re.compile(r"\d{1,4}")  # file names have four digits


def gather_nnunet(folder: Path, *, channel: int = 0) -> Gathered:
    """Gather the cases of a data set in nnU-Net v2 format, one channel of each.

    Cases of imagesTs are test cases, with the labels of labelsTs where that folder exists. nnU-Net's label
    `ignore` becomes the set's. A case without its image or one of its channels is a problem. Raises SetError
    for a folder without a readable dataset.json, for regions in place of labels, and for a data set without
    cases.
    """
    data = _dataset(folder)
    labels, ignore_value = _labels(folder, data)
    ending = str(data.get("file_ending", ".nii.gz"))
    channels = tuple(dict.fromkeys((channel, *_channels(data))))
    training, problems = _cases(folder, "Tr", ending, channels)
    testing, more_problems = _cases(folder, "Ts", ending, channels)
    if not training and not testing:
        first = next(iter([*problems, *more_problems]), None)
        fact = f"imagesTr and imagesTs have no *_{channel:04d}{ending}." if first is None else first.reason
        raise SetError(f"{folder} has no complete case: {fact}")
    splits: dict[str, Split] = {case.name: "test" for case in testing}
    return Gathered((*training, *testing), labels, splits, ignore_value, (*problems, *more_problems))


def _dataset(folder: Path) -> Mapping[str, Any]:
    path = folder / "dataset.json"
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
        if isinstance(data["labels"], dict):
            return dict(data)
        raise TypeError("labels")
    except OSError as error:
        raise SetError(f"{path} can't be read: {error.strerror or error}.") from error
    except MALFORMED as error:
        raise SetError(f"{path} does not describe an nnU-Net data set: it has no labels.") from error


def _labels(folder: Path, data: Mapping[str, Any]) -> tuple[tuple[Label, ...], int | None]:
    """Read names to values as version 2 writes them, or values to names as version 1 and the decathlon do."""
    path, named = folder / "dataset.json", data["labels"]
    if any(isinstance(value, list) for value in named.values()):
        raise SetError(f"{path} has regions, which may overlap; sammed needs labels that do not.")
    is_by_value = all(str(key).isdecimal() for key in named)
    names = names_by_value(path, named.items() if is_by_value else ((v, k) for k, v in named.items()))
    ignore = next((value for value, name in names.items() if name.casefold() == _IGNORE), None)
    kept = {value: name for value, name in names.items() if value not in (0, ignore)}
    return named_labels(path, kept), ignore


def _channels(data: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the channels of every case; none where dataset.json does not list them, as in version 1."""
    names = data.get("channel_names")
    return tuple(int(key) for key in names if _NUMBER.fullmatch(key)) if isinstance(names, dict) else ()


def _cases(
    folder: Path, part: str, ending: str, channels: tuple[int, ...]
) -> tuple[list[Case], list[Problem]]:
    """Return the cases of `images{part}` with the first channel, and those that lack a file."""
    images, labels = (_files(folder / f"{kind}{part}", ending) for kind in ("images", "labels"))
    marks = _marks(images, labels, channels)
    names = {stem.removesuffix(mark) for stem in images for mark in marks if stem.endswith(mark)}
    cases, problems = [], []
    for name in sorted(names | labels.keys()):
        missing = [f"{name}{mark}{ending}" for mark in marks if f"{name}{mark}" not in images]
        if missing:
            problems.append(Problem(name, f"{folder / f'images{part}'} holds no {' and no '.join(missing)}."))
        else:
            cases.append(_case(name, images[name + marks[0]], labels.get(name)))
    return cases, problems


def _files(folder: Path, ending: str) -> dict[str, Path]:
    """Map names without the ending to the files that have it."""
    paths = sorted(path for path in folder.glob(f"*{ending}") if not path.name.startswith("."))
    return {path.name.removesuffix(ending): path.absolute() for path in paths}


def _marks(
    images: Mapping[str, Path], labels: Mapping[str, Path], channels: tuple[int, ...]
) -> tuple[str, ...]:
    """Return the mark of each channel in image names, as in version 2; the decathlon has none."""
    marks = tuple(f"_{channel:04d}" for channel in channels)
    is_numbered = any(stem.endswith((*marks, "_0000")) for stem in images)
    return ("",) if not is_numbered or (labels and labels.keys() <= images.keys()) else marks


def _case(name: str, image: Path, labels: Path | None) -> Case:
    return Case(name, image) if labels is None else Case(name, image, labels, GOLD)
