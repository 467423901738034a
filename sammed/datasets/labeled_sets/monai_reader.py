"""MONAI's data lists: one JSON file that names images and labels, as in the decathlon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sammed.datasets.labeled_sets.case_names import case_names
from sammed.datasets.labeled_sets.gathered import Gathered, named_labels, names_by_value
from sammed.datasets.labeled_sets.labeled_set import GOLD, Case, Split
from sammed.errors import SetError
from sammed_volumes.formats import strip_suffix
from sammed_volumes.json_text import parse_json
from sammed_volumes.labels import Label

_LISTS: dict[str, Split] = {
    "training": "train",
    "validation": "validation",
    "testing": "test",
    "test": "test",
}


def gather_monai(path: Path, *, fold: int | None = None) -> Gathered:
    """Gather the cases of a data list; its paths are relative to its folder.

    The lists "training", "validation", "testing" and "test" become the splits; with `fold`, training items of
    that fold become validation cases. An item with "pseudo" true was labeled by a machine. Raises SetError
    for a file that is not a data list, for a fold without items, and for items with several images.
    """
    data = _read(path)
    items = [(item, split) for key, split in _LISTS.items() for item in _items(path, data, key)]
    if not items:
        raise SetError(f"{path} names no case in {', '.join(_LISTS)}.")
    names = case_names(strip_suffix(path.parent / item["image"]) for item, _ in items)
    cases = tuple(_case(path, name, item) for name, (item, _) in zip(names, items, strict=True))
    folds = [item["fold"] for item, _ in items if "fold" in item]
    if fold is not None and fold not in folds:
        known = ", ".join(sorted(set(map(str, folds)))) or "none"
        raise SetError(f"{path} has no item of fold {fold}; its folds are {known}.")
    splits: dict[str, Split] = {}
    for name, (item, split) in zip(names, items, strict=True):
        splits[name] = "validation" if fold is not None and item.get("fold") == fold else split
    return Gathered(cases, _labels(path, data), splits)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetError(f"{path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise SetError(f"{path} is not JSON ({error}).") from error
    if not isinstance(data, dict):
        raise SetError(f"{path} is not a MONAI data list: it is not a JSON object.")
    return data


def _items(path: Path, data: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    items = data.get(key, [])
    if not isinstance(items, list):
        raise SetError(f"{path} is not a MONAI data list: {key!r} is not a list.")
    for item in items:
        item = {"image": item} if isinstance(item, str) else item
        if not (isinstance(item, dict) and isinstance(item.get("image"), str)):
            raise SetError(f"{path}: an item of {key!r} names no image, or several: {item!r}.")
        yield item


def _case(path: Path, name: str, item: Mapping[str, Any]) -> Case:
    image, label = (path.parent / item["image"]).absolute(), item.get("label")
    if label is None:
        return Case(name, image)
    origin = "pseudo" if item.get("pseudo") else GOLD
    return Case(name, image, (path.parent / str(label)).absolute(), origin)


def _labels(path: Path, data: Mapping[str, Any]) -> tuple[Label, ...] | None:
    named = data.get("labels")
    if not isinstance(named, dict):
        return None
    names = names_by_value(path, ((value, name) for value, name in named.items() if value.isdecimal()))
    return named_labels(path, {value: name for value, name in names.items() if value > 0})
