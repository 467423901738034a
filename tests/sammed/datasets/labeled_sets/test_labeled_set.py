"""The set's own rules: names, origins, splits."""

from pathlib import Path
from typing import Any

import pytest

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.errors import SetError
from sammed_volumes.labels import default_label

GOLD = Case("anna", Path("anna.png"), Path("anna_label.png"), "gold")
BARE = Case("bert", Path("bert.png"))
MADE = Case("cleo", Path("cleo.png"), Path("cleo_label.nii.gz"), "auto", score=0.8)


def make(*cases: Case, **settings: Any) -> LabeledSet:
    return LabeledSet(Path("/set"), (default_label(1),), cases, **settings)


def test_cases_are_told_apart_by_their_origin() -> None:
    found = make(GOLD, BARE, MADE)
    assert (found.gold, found.unlabeled, found.pseudo) == ((GOLD,), (BARE,), (MADE,))


def test_a_part_keeps_the_splits_of_its_cases() -> None:
    found = make(GOLD, BARE, MADE, splits={"anna": "test"})
    assert found.part("test").cases == (GOLD,)
    assert found.part("test").splits == {"anna": "test"}
    assert found.part("train").cases == (BARE, MADE)


def test_a_relative_path_starts_in_the_folder() -> None:
    assert make().path(Path("a/b.png")) == Path("/set/a/b.png")
    assert make().path(Path("/elsewhere/b.png")) == Path("/elsewhere/b.png")


@pytest.mark.parametrize(
    ("build", "fact"),
    [
        (lambda: make(GOLD, GOLD), "'anna' twice"),
        (lambda: make(GOLD, splits={"zoe": "test"}), "'zoe'"),
        (lambda: make(ignore_value=1), "value 1 is a label"),
        (lambda: Case("anna", Path("a.png"), None, "gold"), "no labels"),
        (lambda: Case("anna", Path("a.png"), Path("b.png")), "has labels"),
        (lambda: Case("../anna", Path("a.png")), "no slash"),
        (lambda: Case("anna", Path("a.png"), Path("b.png"), "auto", score=1.5), "from 0 to 1"),
    ],
)
def test_what_contradicts_itself_is_refused(build: Any, fact: str) -> None:
    with pytest.raises(SetError, match=fact):
        build()
