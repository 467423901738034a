"""`student label` on folders: manifest, resuming, claims, shards and workers, as for `auto-label`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from PIL import Image

from sammed.batch.claims import CLAIMS_NAME, Claims
from sammed.batch.manifest import MANIFEST_NAME
from sammed.batch.result import LabelingResult
from sammed.batch.shards import Shard
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.inference import StudentLabels, label_by_student
from sammed.datasets.students.student import new_student
from sammed.datasets.students.student_file import load_student, save_student, student_digest
from sammed.jobs.student.label import StudentLabelRequest, student_label
from sammed.progress import Silent
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels
from sammed_volumes.labels import Label
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.conftest import Notes
from tests.sammed.jobs.conftest import provenance_of, reason

NAMES = ("a", "ward 7/b", "ward 7/c")
LABELS = (Label(2, "liver", (1, 2, 3)), Label(5, "spleen", (4, 5, 6)))

Run: TypeAlias = Callable[..., LabelingResult]


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """A student with random weights: it finds something, and always the same."""
    config = StudentConfig(network="unet", size_px=32, features=(8, 8, 16, 16, 32, 8), device="cpu")
    return save_student(new_student(config, LABELS), tmp_path / "student.safetensors")


@pytest.fixture
def scans(tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]) -> Path:
    for seed, name in enumerate(NAMES):
        save(phantom(shape=(17, 13, 5), seed=seed + 1).volume, tmp_path / f"scans/{name}.nii.gz")
    return tmp_path / "scans"


@pytest.fixture
def run(student: Path) -> Run:
    """`run(scans, ...)` labels into `labels/`."""

    def start(*inputs: Path, **settings: Any) -> LabelingResult:
        wanted = {"output": Path("labels"), "device": "cpu", **settings}
        return student_label(StudentLabelRequest(student=student, inputs=inputs, **wanted), Silent())

    return start


def statuses(result: LabelingResult) -> list[str]:
    return [item.status for item in result.items]


def voxels_below(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.relative_to(folder).as_posix(): read_labels(path).voxels
        for path in sorted(folder.rglob("*_label.nii.gz"))
    }


def test_the_manifest_notes_every_volume(scans: Path, run: Run, student: Path) -> None:
    (scans / "broken.nii.gz").write_bytes(b"not a scan")
    assert statuses(run(scans)) == ["done", "failed", "done", "done"]
    lines = (Path("labels") / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    last = {entry["output"]: entry for entry in map(json.loads, lines)}
    assert {name: entry["status"] for name, entry in last.items()} == {
        "a_label.nii.gz": "done",
        "broken_label.nii.gz": "failed",
        "ward 7/b_label.nii.gz": "done",
        "ward 7/c_label.nii.gz": "done",
    }
    digest = student_digest(load_student(student))
    assert {entry["skill_digest"] for entry in last.values()} == {digest}
    assert last["a_label.nii.gz"]["settings"] == {"axis": "auto"}
    provenance = provenance_of(Path("labels/a_label.nii.gz"))
    assert (provenance.method, provenance.skill_digest) == ("student/unet", digest)
    assert provenance.image_sha256 == last["a_label.nii.gz"]["image_sha256"]
    assert voxels_below(Path("labels"))["a_label.nii.gz"].any()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, "skipped", id="resuming is the default"),
        pytest.param({"axis": 0}, "done", id="another axis"),
        pytest.param({"resume": False}, "skipped", id="existing labels are not replaced without permission"),
        pytest.param({"overwrite": True}, "done", id="all again"),
        pytest.param({"overwrite": True, "resume": True}, "skipped", id="all that is not done"),
    ],
)
def test_what_a_second_run_does(scans: Path, run: Run, settings: dict[str, Any], expected: str) -> None:
    assert statuses(run(scans)) == ["done"] * 3
    assert statuses(run(scans, **settings)) == [expected] * 3


def test_another_student_labels_again(scans: Path, run: Run, student: Path) -> None:
    run(scans)
    config = StudentConfig(network="unet", size_px=32, features=(8, 8, 16, 16, 32, 8), device="cpu", seed=1)
    save_student(new_student(config, LABELS), student, overwrite=True)
    assert statuses(run(scans)) == ["done"] * 3


def test_another_spacing_labels_again_and_says_so(student: Path, tmp_path: Path, notes: Notes) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 16, 16), dtype=np.uint8)
    for place in (f"scans/{folder}/{number}.png" for folder in "ab" for number in range(3)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[int(place[-5])] // (1 + ("b" in place))).save(tmp_path / place)

    def again(**settings: Any) -> list[str]:
        fixed: dict[str, Any] = {"stack": True, "device": "cpu", "output": Path("labels")}
        request = StudentLabelRequest(student=student, inputs=(tmp_path / "scans",), **fixed, **settings)
        return statuses(student_label(request, notes))

    assert again() == ["done"] * 2
    assert again() == ["skipped"] * 2
    before = len(notes.messages)
    assert again(spacing_mm=(0.5, 0.5, 3.0)) == ["done"] * 2
    assert notes.messages[before:] == [
        "2 of 2 volumes were labeled with another skill or other options; they are labeled again."
    ]
    assert read_labels(Path("labels/a_label.nii.gz")).grid.spacing_mm == pytest.approx((0.5, 0.5, 3.0))
    assert again(spacing_mm=(0.5, 0.5, 3.0)) == ["skipped"] * 2


def test_labels_made_by_hand_stay(scans: Path, run: Run) -> None:
    path = Path("labels/a_label.nii.gz")
    path.parent.mkdir()
    path.write_bytes(b"made by hand")
    result = run(scans)
    assert statuses(result) == ["skipped", "done", "done"]
    assert "already exists" in reason(result.items[0])
    assert path.read_bytes() == b"made by hand"
    with pytest.raises(OutputError, match="already exists"):
        run(scans / "a.nii.gz", output=path)
    assert path.read_bytes() == b"made by hand"


def test_two_runs_do_not_label_the_same_volume(scans: Path, run: Run) -> None:
    held = Claims(Path("labels") / CLAIMS_NAME).take("ward 7/b_label.nii.gz")
    assert held is not None
    result = run(scans)
    assert statuses(result) == ["done", "skipped", "done"]
    assert "being processed by process" in reason(result.items[1])
    held.release()
    assert statuses(run(scans)) == ["skipped", "done", "skipped"]


def test_an_interrupted_run_keeps_what_is_done(
    scans: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(volume: Volume, *arguments: Any) -> StudentLabels:
        if volume.path is not None and volume.path.name == "b.nii.gz":
            raise KeyboardInterrupt
        return label_by_student(volume, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr("sammed.jobs.student.label.label_by_student", interrupt)
        result = run(scans)
    assert (result.interrupted, statuses(result)) == (True, ["done"])
    assert not (Path("labels") / CLAIMS_NAME).exists()
    assert list(voxels_below(Path("labels"))) == ["a_label.nii.gz"]
    assert statuses(run(scans)) == ["skipped", "done", "done"]


def test_shards_share_one_manifest(scans: Path, run: Run) -> None:
    parts = [run(scans, shard=Shard(number, 2)) for number in (1, 2)]
    assert [statuses(part) for part in parts] == [["done"] * 2, ["done"]]
    assert len({item.image for part in parts for item in part.items}) == 3
    assert statuses(run(scans)) == ["skipped"] * 3


@pytest.mark.slow
def test_workers_give_the_same_labels(scans: Path, run: Run) -> None:
    assert statuses(run(scans, output=Path("here"))) == ["done"] * 3
    result = run(scans, output=Path("there"), workers=2)
    assert statuses(result) == ["done"] * 3
    assert [item.output for item in result.items] == [Path(f"there/{name}_label.nii.gz") for name in NAMES]
    here, there = voxels_below(Path("here")), voxels_below(Path("there"))
    assert here.keys() == there.keys()
    for name, expected in here.items():
        np.testing.assert_array_equal(there[name], expected, err_msg=name)
