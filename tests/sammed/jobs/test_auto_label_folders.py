"""`auto-label` on folders: again, in shards, by two processes at once, and by processes that are killed."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sammed.batch import labeler
from sammed.batch.claims import CLAIMS_NAME, Claims
from sammed.batch.manifest import MANIFEST_NAME
from sammed.batch.result import LabelingResult
from sammed.batch.shards import Shard
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.labeled import Labeled
from sammed.embeddings.opening import open_volume
from sammed.errors import ConfigError
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.progress import Silent
from sammed.skills.skill import Skill
from sammed.skills.skill_file import read_skill, skill_digest
from sammed.storage.fingerprint import sha256_of
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.jobs.conftest import provenance_of, reason, written

NAMES = ("a", "ward 7/b", "ward 7/c")
SHAPE = (17, 13, 5)

Run: TypeAlias = Callable[..., LabelingResult]


@pytest.fixture
def scans(tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]) -> Path:
    for seed, name in enumerate(NAMES):
        save(phantom(shape=SHAPE, seed=seed + 1).volume, tmp_path / f"scans/{name}.nii.gz")
    return tmp_path / "scans"


@pytest.fixture
def run(skill: Path) -> Run:
    """`run(scans, ...)` labels into `labels/` without the cache of embeddings."""

    def start(*inputs: Path, **settings: Any) -> LabelingResult:
        encoding = EncodingConfig(cache=False)
        wanted = {"output": Path("labels"), "encoding": encoding, **settings}
        return auto_label(AutoLabelRequest(inputs=inputs, **wanted), Silent())

    return start


def statuses(result: LabelingResult) -> list[str]:
    return [item.status for item in result.items]


def named(volume: Volume) -> str:
    assert volume.path is not None
    return volume.path.name


def entries(path: Path = Path("labels") / MANIFEST_NAME) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def labels_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): read_labels(path).voxels.tobytes()
        for path in sorted(folder.rglob("*_label.nii.gz"))
    }


def test_the_tree_is_mirrored_and_noted(scans: Path, run: Run, skill: Path) -> None:
    (scans / "broken.nii.gz").write_bytes(b"no scan")
    result = run(scans)
    assert statuses(result) == ["done", "failed", "done", "done"]
    assert set(labels_below(Path("labels"))) == {f"{name}_label.nii.gz" for name in NAMES}
    last = {entry["output"]: entry for entry in entries()}
    assert {name: entry["status"] for name, entry in last.items()} == {
        "a_label.nii.gz": "done",
        "broken_label.nii.gz": "failed",
        "ward 7/b_label.nii.gz": "done",
        "ward 7/c_label.nii.gz": "done",
    }
    done = last["ward 7/b_label.nii.gz"]
    assert done["image_sha256"] == sha256_of(scans / "ward 7/b.nii.gz")
    assert done["skill_digest"] == skill_digest(read_skill(skill))
    assert done["seconds"] > 0
    assert "broken.nii.gz" in last["broken_label.nii.gz"]["error"]
    assert not list(Path("labels").rglob(".*")), "a hidden file was left behind"


def test_the_same_command_again_does_what_is_not_done(
    scans: Path, run: Run, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]
) -> None:
    (scans / "broken.nii.gz").write_bytes(b"no scan")
    first = run(scans)
    written = {path: path.stat().st_mtime_ns for path in Path("labels").rglob("*_label.nii.gz")}
    save(phantom(shape=SHAPE, seed=8).volume, scans / "broken.nii.gz")  # somebody mends it
    save(phantom(shape=SHAPE, seed=9).volume, scans / "a.nii.gz")  # and another one changes
    again = run(scans)
    assert statuses(first) == ["done", "failed", "done", "done"]
    assert statuses(again) == ["done", "done", "skipped", "skipped"]
    assert "labeled already" in reason(again.items[2])
    kept = [path for path, time_ns in written.items() if path.stat().st_mtime_ns == time_ns]
    assert sorted(path.name for path in kept) == ["b_label.nii.gz", "c_label.nii.gz"]
    assert provenance_of(Path("labels/a_label.nii.gz")).image_sha256 == sha256_of(scans / "a.nii.gz")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, "skipped", id="resuming is the default"),
        pytest.param({"generator": "classification"}, "done", id="another generator"),
        pytest.param({"resume": False}, "skipped", id="what is there is not replaced unasked"),
        pytest.param({"overwrite": True}, "done", id="all again"),
        pytest.param({"overwrite": True, "resume": True}, "skipped", id="all that is not done"),
    ],
)
def test_what_a_second_run_does(scans: Path, run: Run, settings: dict[str, Any], expected: str) -> None:
    assert statuses(run(scans)) == ["done"] * 3
    assert statuses(run(scans, **settings)) == [expected] * 3


def test_labels_that_a_person_mended_stay(scans: Path, run: Run, phantom: Callable[..., Phantom]) -> None:
    run(scans)
    path, made = Path("labels/a_label.nii.gz"), phantom(shape=SHAPE)
    write_labels(made.labels, path, like=made.volume, overwrite=True)
    mended = path.read_bytes()
    (scans / "a.nii.gz").write_bytes((scans / "ward 7/b.nii.gz").read_bytes())
    (item, *_) = run(scans).items
    assert item.status == "skipped"
    assert "already exists" in reason(item)
    assert path.read_bytes() == mended


def test_a_folder_without_an_output_keeps_its_manifest(scans: Path, run: Run) -> None:
    assert statuses(run(scans, output=None)) == ["done"] * 3
    assert (scans / MANIFEST_NAME).is_file()
    assert (scans / "ward 7/c_label.nii.gz").is_file()
    assert statuses(run(scans, output=None)) == ["skipped"] * 3


def test_a_manifest_elsewhere(scans: Path, run: Run, tmp_path: Path) -> None:
    run(scans, manifest=Path("notes/m.jsonl"))
    assert len({entry["output"] for entry in entries(Path("notes/m.jsonl"))}) == 3
    assert not (Path("labels") / MANIFEST_NAME).exists()
    assert statuses(run(scans, manifest=Path("notes/m.jsonl"))) == ["skipped"] * 3


def test_patterns_and_lists(scans: Path, run: Run) -> None:
    Path("list.txt").write_text(f"{scans / 'ward 7/c.nii.gz'}\n", encoding="utf-8")
    result = run(scans / "ward*" / "b.nii.gz", lists=(Path("list.txt"),))
    assert [written(item).as_posix() for item in result.items] == [
        "labels/ward 7/b_label.nii.gz",
        "labels/c_label.nii.gz",
    ]
    with pytest.raises(ConfigError, match="matches"):
        run(scans / "*.mha")


def test_shards_share_one_manifest(scans: Path, run: Run) -> None:
    parts = [run(scans, shard=Shard(number, 2)) for number in (1, 2)]
    assert [statuses(part) for part in parts] == [["done"] * 2, ["done"]]
    assert len({item.image for part in parts for item in part.items}) == 3
    assert statuses(run(scans)) == ["skipped"] * 3


def test_what_another_process_works_on_is_left_to_it(scans: Path, run: Run) -> None:
    held = Claims(Path("labels") / CLAIMS_NAME).take("ward 7/b_label.nii.gz")
    assert held is not None
    result = run(scans)
    assert statuses(result) == ["done", "skipped", "done"]
    assert "being processed by process" in reason(result.items[1])
    held.release()
    assert statuses(run(scans)) == ["skipped", "done", "skipped"]


def test_what_another_process_let_go_is_taken_at_the_end(
    scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Claims(Path("labels") / CLAIMS_NAME).take("a_label.nii.gz")
    assert held is not None
    label = Skill.label

    def label_and_let_go(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        held.release()
        return label(skill, volume, **settings)

    monkeypatch.setattr(Skill, "label", label_and_let_go)
    assert statuses(run(scans)) == ["done"] * 3


def test_the_next_volume_is_read_while_this_one_is_labeled(
    scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = Skill.label
    second_is_read = threading.Event()

    def read(path: Path, *others: Any, **settings: Any) -> Volume:
        if path.name == "b.nii.gz":
            second_is_read.set()
        return open_volume(path, *others, **settings)

    def wait_and_label(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        assert second_is_read.wait(20), "nothing was read in the meantime"
        return label(skill, volume, **settings)

    monkeypatch.setattr(labeler, "open_volume", read)
    monkeypatch.setattr(Skill, "label", wait_and_label)
    assert statuses(run(scans)) == ["done"] * 3


def test_a_fault_in_one_volume_stays_its_own(scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    label = Skill.label

    def fail(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        if named(volume) == "b.nii.gz":
            raise ZeroDivisionError("by zero")
        return label(skill, volume, **settings)

    monkeypatch.setattr(Skill, "label", fail)
    result = run(scans)
    assert statuses(result) == ["done", "failed", "done"]
    assert "bug in sammed (ZeroDivisionError: by zero)" in reason(result.items[1])


def test_ctrl_c_lets_go_of_everything(scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    label = Skill.label

    def interrupt(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        if named(volume) == "b.nii.gz":
            raise KeyboardInterrupt
        return label(skill, volume, **settings)

    monkeypatch.setattr(Skill, "label", interrupt)
    result = run(scans)
    assert (result.interrupted, statuses(result)) == (True, ["done"])
    assert not (Path("labels") / CLAIMS_NAME).exists()
    monkeypatch.setattr(Skill, "label", label)
    assert statuses(run(scans)) == ["skipped", "done", "done"]


def test_half_files_of_the_dead_go_when_they_are_old(scans: Path, run: Run) -> None:
    run(scans)
    young, old = Path("labels/.partial-1.nii.gz"), Path("labels/ward 7/.partial-2.json")
    for path in (young, old):
        path.write_bytes(b"half")
    before = time.time() - 7200
    os.utime(old, (before, before))
    run(scans)
    assert young.exists()
    assert not old.exists()


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_ends_as_if_undisturbed(
    scans: Path, run: Run, skill: Path, tmp_path: Path
) -> None:
    """Named points are those where a kill could do most harm; three more come at random."""
    run(scans, output=Path("undisturbed"))
    expected = labels_below(Path("undisturbed"))
    chance = random.Random(0)
    points = [
        "while_reading",
        "in_the_middle_of_a_line",
        "between_labels_and_provenance",
        "with_a_file_half_written",
        "after_encoding",
        *(f"{chance.uniform(0, 0.6):.3f}" for _ in range(3)),
    ]
    script = Path(__file__).with_name("killed_labeling.py")
    command = [sys.executable, str(script), str(scans), str(skill), "labels", *points]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    *outcomes, last = done.stdout.splitlines()
    assert [line.endswith("killed") for line in outcomes[:5]] == [True] * 5, outcomes
    assert set(last.split()) <= {"done", "skipped"}
    assert labels_below(Path("labels")) == expected
    for path in Path("labels").rglob("*_label.nii.gz"):
        assert provenance_of(path).origin == "pseudo"


def test_an_image_is_hashed_once(scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger and provenance share one digest, for a single volume and in a batch."""
    hashed: list[Path] = []

    def counting(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("sammed.storage.fingerprint.sha256_of", counting)
    run(scans / "a.nii.gz", output=Path("a_label.nii.gz"))
    assert hashed == [scans / "a.nii.gz"]
    hashed.clear()
    run(scans)
    assert sorted(hashed) == sorted(scans / f"{name}.nii.gz" for name in NAMES)
    hashed.clear()
    assert statuses(run(scans)) == ["skipped"] * 3
    assert hashed == [], "an unchanged stamp saves reading"
