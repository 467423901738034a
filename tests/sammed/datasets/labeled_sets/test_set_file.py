"""The manifest: what is written is read again, and what is damaged says so."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet, Split
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, read_set, write_set
from sammed.errors import SetError
from sammed.version import __version__
from sammed_volumes.errors import OutputError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label


@pytest.fixture
def made(tmp_path: Path) -> LabeledSet:
    folder = tmp_path / "set"
    folder.mkdir()
    scans = tmp_path / "scans"
    cases = (
        Case("Süß", scans / "a.nii.gz", scans / "b.nii.gz", "gold", annotated_slices=(3, 9), axis=2),
        Case("bert", scans / "c.nii.gz"),
        Case(
            "cleo",
            scans / "d.nii.gz",
            folder / "labels/cleo.nii.gz",
            "samdsk",
            score=0.5,
            label_scores={1: 0.25, 7: 0.75},
            maker_digest="abc",
            ignore=folder / "ignore/cleo.nii.gz",
        ),
    )
    labels = (Label(1, "liver", (1, 2, 3)), Label(7, "spleen", (4, 5, 6)))
    splits: dict[str, Split] = {"Süß": "train", "bert": "test", "cleo": "train"}
    return LabeledSet(folder, labels, cases, splits, Window(-10, 20, "hu"), ignore_value=255)


def absolute(labeled_set: LabeledSet, case: Case) -> list[Path | None]:
    paths = (case.image, case.labels, case.ignore)
    return [None if path is None else labeled_set.path(path).resolve() for path in paths]


def test_a_set_comes_back_as_it_was(made: Any) -> None:
    write_set(made)
    read = read_set(made.folder)
    assert (read.labels, read.splits, read.window, read.ignore_value) == (
        made.labels,
        made.splits,
        made.window,
        255,
    )
    for ours, theirs in zip(read.cases, made.cases, strict=True):
        assert absolute(read, ours) == absolute(made, theirs)
        for name in ("name", "origin", "score", "label_scores", "maker_digest", "annotated_slices", "axis"):
            assert getattr(ours, name) == getattr(theirs, name), name


def test_set_and_images_move_together(made: Any, tmp_path: Path) -> None:
    write_set(made)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(made.folder, moved / "set")
    read = read_set(moved / "set")
    assert read.path(read.case("bert").image).resolve() == (moved / "scans/c.nii.gz").resolve()


def test_nothing_is_overwritten_unasked(made: Any) -> None:
    write_set(made)
    with pytest.raises(OutputError, match="already exists"):
        write_set(made)
    write_set(made.part("test"), overwrite=True)
    assert [case.name for case in read_set(made.folder).cases] == ["bert"]


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda data: data.update(format="other"), "not a labeled set"),
        (lambda data: data.pop("format"), "not a labeled set"),
        (
            lambda data: data.update(version=9),
            rf"later version of sammed \({__version__}\) wrote it; update sammed",
        ),
        (
            lambda data: [data.update(version=9), data.pop("sammed_version")],
            "later version of sammed wrote it; update sammed",
        ),
        (lambda data: data.pop("version"), r"is damaged: it lacks 'version'; make the set again\."),
        (lambda data: data["cases"][0].update(split="exam"), "'exam'"),
        (lambda data: data["cases"].append(data["cases"][0]), "twice"),
        (lambda data: data["cases"][0].pop("image"), "is damaged: it lacks 'image'"),
        (lambda data: data["cases"][0].update(image=7), "damaged: one of its values has the wrong type"),
        (lambda data: data["labels"][0].update(value=0), "use 1 or more"),
        (lambda data: data["labels"][0].update(value=float("inf")), "damaged: one of its values"),
        (lambda data: data["labels"][0].update(color_rgb=[0, 0, float("inf")]), "damaged: one of its values"),
    ],
)
def test_a_damaged_manifest_names_itself_and_the_fault(made: Any, change: Any, fact: str) -> None:
    path = write_set(made)
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(SetError, match=fact) as raised:
        read_set(made.folder)
    assert SET_FILE_NAME in str(raised.value)
    assert "Error" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b'{\n  "format": }', r"is damaged: it is not JSON at line 2, column 13; make the set again\."),
        (b"", "not JSON at line 1, column 1"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"[]", "not a labeled set"),
    ],
)
def test_what_is_no_manifest_at_all(tmp_path: Path, content: Any, fact: str) -> None:
    (tmp_path / SET_FILE_NAME).write_bytes(content)
    with pytest.raises(SetError, match=fact) as raised:
        read_set(tmp_path)
    assert "Error" not in str(raised.value)


def test_a_missing_set_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SetError, match="sammed set make"):
        read_set(tmp_path)
