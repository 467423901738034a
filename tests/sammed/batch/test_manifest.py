"""The manifest: what was written is read again, whoever wrote it and however it was cut short."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from sammed.batch.manifest import Entry, Manifest, Recipe
from sammed.storage.fingerprint import Fingerprint
from sammed_volumes.errors import OutputError

RECIPE = Recipe("5" * 64, {"generator": "sap", "precision": "float32"})


def entry(output: str = "a_label.nii.gz", status: str = "done", **more) -> Entry:
    image = Fingerprint("a" * 64, "b" * 32)
    return Entry(
        output=output, image="a.nii.gz", status=status, recipe=RECIPE, image_fingerprint=image, **more
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return open_at(tmp_path)


def open_at(folder: Path) -> Manifest:
    return Manifest(folder / "m.jsonl", folder / "locks/m.lock")


def test_a_line_is_one_json_object_with_everything_in_it(manifest) -> None:
    said = entry(seconds=1.5, slices=9, labels=("lung", "Lęber"), labels_sha256=("c" * 64,), run="r")
    manifest.add(said)
    (line,) = manifest.path.read_text(encoding="utf-8").splitlines()
    data = json.loads(line)
    assert data["image_sha256"] == "a" * 64
    assert data["skill_digest"] == "5" * 64
    assert data["settings"] == {"generator": "sap", "precision": "float32"}
    assert {"sammed", "torch", "python"} <= set(data["versions"])
    assert {"seconds", "status", "error", "host", "pid", "time"} <= set(data)
    assert open_at(manifest.path.parent).last("a_label.nii.gz") == said


def test_the_last_line_counts_whoever_wrote_it(manifest) -> None:
    other = open_at(manifest.path.parent)
    manifest.add(entry(status="started"))
    assert other.last("a_label.nii.gz").status == "started"
    other.add(entry(status="failed", error="no"))
    assert manifest.last("a_label.nii.gz").error == "no"
    assert manifest.last("b_label.nii.gz") is None


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_torn_last_line_costs_itself_alone(manifest, kept) -> None:
    """A kill may leave any part of a line; what comes after starts on a line of its own."""
    manifest.add(entry("a"))
    whole = manifest.path.read_bytes()
    manifest.path.write_bytes(whole + whole.replace(b'"a"', b'"torn"')[:kept])
    again = open_at(manifest.path.parent)
    assert again.last("a") == entry("a", time=again.last("a").time)
    again.add(entry("b"))
    for reader in (again, open_at(manifest.path.parent)):
        assert reader.last("a").status == "done"
        assert reader.last("b").status == "done"


@pytest.mark.parametrize("line", [b"[1]", b"{}", b'"text"', b'{"format": 99}', b"\xff\xfe"])
def test_lines_of_others_are_passed_over(manifest, line) -> None:
    manifest.add(entry("a"))
    with manifest.path.open("ab") as file:
        file.write(line + b"\n")
    manifest.add(entry("b"))
    again = open_at(manifest.path.parent)
    assert again.last("a")
    assert again.last("b")


def test_starts_are_counted_by_run(manifest) -> None:
    for run in ("r", "r", "s"):
        manifest.add(entry(status="started", run=run))
    manifest.add(entry(status="done", run="r"))
    assert manifest.starts("a_label.nii.gz", "r") == 2
    assert manifest.starts("a_label.nii.gz", "s") == 1
    assert manifest.starts("a_label.nii.gz", "t") == 0


def test_it_is_known_what_was_added_since(manifest) -> None:
    manifest.add(entry("a"))
    size = manifest.size()
    manifest.add(entry("b"))
    assert manifest.last("b")
    assert not manifest.is_since("a", size)
    assert manifest.is_since("b", size)


def test_a_manifest_that_was_thrown_away_is_empty(manifest) -> None:
    manifest.add(entry("a"))
    assert manifest.last("a")
    manifest.path.unlink()
    assert manifest.last("a") is None
    manifest.add(entry("b"))
    assert manifest.last("b")
    assert manifest.last("a") is None


def test_many_write_at_once(tmp_path: Path) -> None:
    """Every line stays whole: threads with a manifest each stand for processes, as locks see them."""

    def write(name: str) -> None:
        mine = open_at(tmp_path)
        for k in range(10):
            mine.add(entry(f"{name}{k}", labels=("x" * 5000,)))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manifest = open_at(tmp_path)
    assert all(manifest.last(f"{name}{k}") for name in "abcd" for k in range(10))
    assert len(manifest.path.read_bytes().splitlines()) == 40
    assert not list((tmp_path / "locks").iterdir())


def test_where_it_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").mkdir()
    manifest = Manifest(tmp_path / "m.jsonl", tmp_path / "locks/m.lock")
    with pytest.raises(OutputError, match=r"The manifest .*m\.jsonl can't be written"):
        manifest.add(replace(entry()))
