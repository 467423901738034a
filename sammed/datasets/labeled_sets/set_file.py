"""The set file: `set.json` in the set's folder, which lists labels, cases and splits.

    {"format": "sammed-set", "version": 1,
     "labels": [{"value": 1, "name": "liver", "color_rgb": [230, 25, 75]}],
     "window": {"low": -160, "high": 240, "unit": "hu"},
     "ignore_value": null,
     "cases": [{"name": "anna", "image": "../scans/anna.nii.gz", "labels": "labels/anna.nii.gz",
                "origin": "gold", "split": "train", "annotated_slices": [12, 40], "axis": 2}]}

Paths are relative to the folder where possible, so that set and images can move together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sammed.datasets.labeled_sets.label_reading import LabelReading
from sammed.datasets.labeled_sets.labeled_set import NONE, SPLITS, Case, LabeledSet, Split
from sammed.errors import SammedError, SetError
from sammed.storage.json_file import write_json
from sammed.version import __version__
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.errors import VolumeError
from sammed_volumes.intensity import Window
from sammed_volumes.json_text import MALFORMED, parse_json
from sammed_volumes.labels import Label

SET_FILE_NAME = "set.json"

_FORMAT, _VERSION = "sammed-set", 1


def write_set(labeled_set: LabeledSet, *, overwrite: bool = False) -> Path:
    """Write the set file into the set's existing folder and return its path; see `read_set`."""
    path = labeled_set.folder / SET_FILE_NAME
    with atomic_file(path, ".json", overwrite=overwrite) as partial:
        write_json(partial, _to_json(labeled_set))
    return path


def read_set(place: Path) -> LabeledSet:
    """Read a set, given by its folder or its set file. Raises SetError; opens no image."""
    path = place if place.suffix == ".json" else place / SET_FILE_NAME
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
        _check_version(data)
        return _from_json(path.parent, data)
    except FileNotFoundError:
        raise SetError(f"There is no labeled set {path}; create one with `sammed set make`.") from None
    except NotADirectoryError:
        raise SetError(
            f"{place} is not a labeled set, which is a folder with {SET_FILE_NAME} in it; "
            "create one with `sammed set make`."
        ) from None
    except OSError as error:
        raise SetError(f"{path} can't be read: {error.strerror or error}.") from error
    except (SammedError, VolumeError) as error:
        raise SetError(f"{path} can't be used: {str(error).rstrip('.')}.") from error
    except MALFORMED as error:
        raise SetError(f"{path} is damaged: {_fault(error)}; make the set again.") from error


def _check_version(data: Any) -> None:
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise SetError("it is not a labeled set")
    if data["version"] > _VERSION:
        written = f" ({data['sammed_version']})" if "sammed_version" in data else ""
        raise SetError(f"a later version of sammed{written} wrote it; update sammed")


def _fault(error: Exception) -> str:
    """Describe what is wrong with a set file, without names of Python."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]!r}"
    return "one of its values has the wrong type"


def _to_json(labeled_set: LabeledSet) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "sammed_version": __version__,
        "labels": [label.to_json() for label in labeled_set.labels],
        "window": None if labeled_set.window is None else asdict(labeled_set.window),
        "ignore_value": labeled_set.ignore_value,
        "cases": [_case_json(case, labeled_set) for case in labeled_set.cases],
    }


def _case_json(case: Case, labeled_set: LabeledSet) -> dict[str, object]:
    """Missing values are left out, so that the file stays readable."""
    slices = case.annotated_slices
    optional = {
        "labels": _text(case.labels, labeled_set),
        "ignore": _text(case.ignore, labeled_set),
        "score": case.score,
        "label_scores": {str(value): score for value, score in case.label_scores.items()} or None,
        "maker_digest": case.maker_digest,
        "annotated_slices": None if slices is None else list(slices),
        "axis": case.axis,
    }
    return {
        "name": case.name,
        "image": _text(case.image, labeled_set),
        "origin": case.origin,
        "split": labeled_set.split_of(case),
        **{key: value for key, value in optional.items() if value is not None},
        **case.reading.to_json(),
    }


def _text(path: Path | None, labeled_set: LabeledSet) -> str | None:
    """Return a path as the file has it: relative to the set's folder, absolute only on another drive."""
    if path is None:
        return None
    target, folder = labeled_set.path(path).resolve(), labeled_set.folder.resolve()
    try:
        return Path(os.path.relpath(target, folder)).as_posix()
    except ValueError:  # Windows, another drive
        return target.as_posix()


def _from_json(folder: Path, data: Mapping[str, Any]) -> LabeledSet:
    cases = tuple(_case(each) for each in data["cases"])
    splits = {str(each["name"]): _split(each) for each in data["cases"]}
    return LabeledSet(
        folder=folder,
        labels=tuple(Label.from_json(each) for each in data["labels"]),
        cases=cases,
        splits=splits,
        window=None if data["window"] is None else Window(**data["window"]),
        ignore_value=data["ignore_value"],
    )


def _split(data: Mapping[str, Any]) -> Split:
    split: Split = data.get("split", "train")
    if split not in SPLITS:
        raise SetError(f"case {data['name']} is in the split {split!r}; there are {', '.join(SPLITS)}")
    return split


def _case(data: Mapping[str, Any]) -> Case:
    labels, ignore, slices = data.get("labels"), data.get("ignore"), data.get("annotated_slices")
    scores = {int(value): float(score) for value, score in data.get("label_scores", {}).items()}
    return Case(
        name=str(data["name"]),
        image=Path(data["image"]),
        labels=None if labels is None else Path(labels),
        origin=str(data.get("origin", NONE)),
        score=data.get("score"),
        label_scores=scores,
        maker_digest=data.get("maker_digest"),
        ignore=None if ignore is None else Path(ignore),
        annotated_slices=None if slices is None else tuple(int(index) for index in slices),
        axis=data.get("axis"),
        reading=LabelReading(flatten=data.get("flatten", False), resample=data.get("resample", False)),
    )
