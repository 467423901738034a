"""The manifest: lines are read back, whichever process wrote them, and torn lines are ignored."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sammed.batch.manifest import Entry, Manifest, Recipe, Status
from sammed.storage.fingerprint import Fingerprint
from sammed_volumes.errors import OutputError

RECIPE = Recipe("5" * 64, {"generator": "sap", "precision": "float32"})


def entry(output: str = "a_label.nii.gz", status: Status = "done", **more: Any) -> Entry:
    image = Fingerprint("a" * 64, "b" * 32)
    return Entry(
        output=output, image="a.nii.gz", status=status, recipe=RECIPE, image_fingerprint=image, **more
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return open_at(tmp_path)


def last(manifest: Manifest, output: str) -> Entry:
    found = manifest.last(output)
    assert found is not None
    return found


def open_at(folder: Path) -> Manifest:
    return Manifest(folder / "m.jsonl", folder / "locks/m.lock")


def test_a_line_is_one_json_object_with_everything_in_it(manifest: Manifest) -> None:
    written = entry(seconds=1.5, slices=9, labels=("lung", "Lęber"), labels_sha256=("c" * 64,), run="r")
    manifest.add(written)
    (line,) = manifest.path.read_text(encoding="utf-8").splitlines()
    data = json.loads(line)
    assert data["image_sha256"] == "a" * 64
    assert data["skill_digest"] == "5" * 64
    assert data["settings"] == {"generator": "sap", "precision": "float32"}
    assert {"sammed", "torch", "python"} <= set(data["versions"])
    assert {"seconds", "status", "error", "host", "pid", "time"} <= set(data)
    assert open_at(manifest.path.parent).last("a_label.nii.gz") == written


def test_the_last_line_counts_whichever_process_wrote_it(manifest: Manifest) -> None:
    other = open_at(manifest.path.parent)
    manifest.add(entry(status="started"))
    assert last(other, "a_label.nii.gz").status == "started"
    other.add(entry(status="failed", error="no"))
    assert last(manifest, "a_label.nii.gz").error == "no"
    assert manifest.last("b_label.nii.gz") is None


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_only_a_torn_last_line_is_lost(manifest: Manifest, kept: int) -> None:
    """A kill may leave any part of a line; the next line starts on a new line."""
    manifest.add(entry("a"))
    whole = manifest.path.read_bytes()
    manifest.path.write_bytes(whole + whole.replace(b'"a"', b'"torn"')[:kept])
    again = open_at(manifest.path.parent)
    assert again.last("a") == entry("a", time=last(again, "a").time)
    again.add(entry("b"))
    for reader in (again, open_at(manifest.path.parent)):
        assert last(reader, "a").status == "done"
        assert last(reader, "b").status == "done"


@pytest.mark.parametrize("line", [b"[1]", b"{}", b'"text"', b'{"format": 99}', b"\xff\xfe"])
def test_foreign_lines_are_ignored(manifest: Manifest, line: bytes) -> None:
    manifest.add(entry("a"))
    with manifest.path.open("ab") as file:
        file.write(line + b"\n")
    manifest.add(entry("b"))
    again = open_at(manifest.path.parent)
    assert again.last("a")
    assert again.last("b")


def test_starts_are_counted_by_run(manifest: Manifest) -> None:
    for run in ("r", "r", "s"):
        manifest.add(entry(status="started", run=run))
    manifest.add(entry(status="done", run="r"))
    assert manifest.starts("a_label.nii.gz", "r") == 2
    assert manifest.starts("a_label.nii.gz", "s") == 1
    assert manifest.starts("a_label.nii.gz", "t") == 0


def test_is_since_finds_what_was_added(manifest: Manifest) -> None:
    manifest.add(entry("a"))
    size = manifest.size()
    manifest.add(entry("b"))
    assert manifest.last("b")
    assert not manifest.is_since("a", size)
    assert manifest.is_since("b", size)


def test_a_manifest_that_was_deleted_is_empty(manifest: Manifest) -> None:
    manifest.add(entry("a"))
    assert manifest.last("a")
    manifest.path.unlink()
    assert manifest.last("a") is None
    manifest.add(entry("b"))
    assert manifest.last("b")
    assert manifest.last("a") is None


def test_many_write_at_once(tmp_path: Path) -> None:
    """Every line stays intact; threads with a manifest of their own stand for processes."""

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


def test_a_manifest_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").mkdir()
    manifest = Manifest(tmp_path / "m.jsonl", tmp_path / "locks/m.lock")
    with pytest.raises(OutputError, match=r"The manifest .*m\.jsonl can't be written"):
        manifest.add(replace(entry()))
