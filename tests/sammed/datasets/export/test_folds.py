"""Folds: no machine label is ever validated on, however few gold cases there are."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sammed.datasets.export.dataset import DataSet
from sammed.datasets.labeled_sets.labeled_set import Case
from tests.sammed.datasets.conftest import Folders


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_machine_labels_are_never_validated_on(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
) -> None:
    cases = [
        *gold(make_folders("a", "b", "c", "d")),
        *gold(make_folders("x", "y", name="m"), origin="pseudo"),
    ]
    done = export(cases, folds=2)
    splits = read_json(done.folder / "splits_final.json")
    assert splits == [
        {"train": ["b", "d", "x", "y"], "val": ["a", "c"]},
        {"train": ["a", "c", "x", "y"], "val": ["b", "d"]},
    ]
    assert faults(done.folder) == []


@pytest.mark.parametrize(
    ("golden", "machine", "splits", "words"),
    [
        # one gold case: it validates what the pseudo-labels teach
        (["a"], ["x", "y"], [{"train": ["x", "y"], "val": ["a"]}], "Only one gold image"),
        # one gold case and nothing else: it is all there is to train on
        (["a"], [], [{"train": ["a"], "val": ["a"]}], "every gold image is also needed for training"),
        # no gold case: no fold at all
        ([], ["x", "y"], None, "every gold image is also needed for training"),
        (
            ["a", "b"],
            [],
            [{"train": ["b"], "val": ["a"]}, {"train": ["a"], "val": ["b"]}],
            "2 folds, not 5",
        ),
    ],
)
def test_few_gold_cases(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
    golden: Any,
    machine: Any,
    splits: list[dict[str, list[str]]] | None,
    words: str,
) -> None:
    cases = gold(make_folders(*golden)) if golden else []
    cases += gold(make_folders(*machine, name="m"), origin="pseudo") if machine else []
    done = export(cases)
    path = done.folder / "splits_final.json"
    assert (read_json(path) if path.exists() else None) == splits
    assert words in " ".join(done.notes)
    assert ("'all'" if splits is None else "Copy splits_final.json to") in done.notes[-1]
    assert faults(done.folder) == []


def test_image_with_a_pseudo_label_is_not_validated_on(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    # It is trained on with the machine's labels, so validating on a person's of it would be no validation.
    cases = gold(make_folders("a", "b", "c"))
    done = export([*cases, replace(cases[0], origin="pseudo")])
    splits = read_json(done.folder / "splits_final.json")
    assert [split["val"] for split in splits] == [["b"], ["c"]]
    assert splits[0]["train"] == ["a", "a_2", "c"]


def test_two_labels_of_one_image_share_a_fold(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    cases = gold(make_folders("a", "b"))
    done = export([*cases, cases[0]])
    assert [split["val"] for split in read_json(done.folder / "splits_final.json")] == [["a", "a_2"], ["b"]]
