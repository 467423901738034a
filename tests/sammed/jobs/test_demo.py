"""The demo from end to end, with the real backbone: minutes, not seconds."""

import json
from pathlib import Path

import numpy as np
import pytest

from sammed.errors import SammedError, SkillError
from sammed.jobs.demo import FILES, Clock, DemoRequest, demo
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill, skill_digest
from sammed.storage.fingerprint import sha256_of
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, read_volume


@pytest.fixture(autouse=True)
def tiny_machine() -> None:
    """Override that of `conftest.py`: the demo runs with the real backbone, since its figures are tested."""


@pytest.mark.slow
def test_the_whole_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "demo"
    result = demo(DemoRequest(output=output), Silent())
    assert {path.name for path in result.files} == set(FILES) == {path.name for path in output.iterdir()}
    assert all(path.stat().st_size > 0 for path in result.files)
    check_labels(output)
    check_manifest(output)
    rows = {str(row[0]): [float(cell or 0) for cell in row[1:]] for row in result.tables[0].rows}
    assert min(rows["automatic, no prompt"]) > 0.93, rows
    assert np.mean(rows["learned prompts, a box"]) > np.mean(rows["plain backbone, a box"]), rows
    assert set(rows) == {
        *(f"{owner}, {way}" for owner in ("plain backbone", "learned prompts") for way in WAYS),
        "automatic, no prompt",
    }
    assert "data:image/png;base64," in (output / "report.html").read_text(encoding="utf-8")


WAYS = ("1 point", "3 points", "5 points", "a box")


def check_labels(output: Path) -> None:
    """On the CT's own grid, with the names, the same in both formats."""
    volume = read_volume(demo_pair().image)
    written = [read_labels(output / name) for name in ("labels.nii.gz", "labels.seg.nrrd")]
    for labels in written:
        assert labels.shape == volume.shape
        np.testing.assert_allclose(labels.affine_ras_mm, volume.affine_ras_mm, atol=1e-5)
        assert {label.name for label in labels.labels} == set(DEMO_LABELS)
    np.testing.assert_array_equal(written[0].voxels, written[1].voxels)


def check_manifest(output: Path) -> None:
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"] == {name: sha256_of(output / name) for name in FILES if name != "manifest.json"}
    assert manifest["skill_digest"] == skill_digest(read_skill(output / "skill.safetensors"))
    assert manifest["backbone_digest"] == read_skill(output / "skill.safetensors").backbone_digest
    assert manifest["inputs"] == {
        path.name: sha256_of(path) for path in (demo_pair().image, demo_pair().labels)
    }


def test_nothing_is_begun_where_a_result_lies_already(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html already exists"):
        demo(DemoRequest(output=tmp_path), Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be created"):
        demo(DemoRequest(output=tmp_path / "file/demo"), Silent())


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (SkillError("It is cut short."), SkillError, "It is cut short."),
        (
            OSError(28, "No space left on device", "/data/x.png"),
            SammedError,
            "/data/x.png: No space left on device.",
        ),
    ],
)
def test_a_step_that_fails_says_which(error: Exception, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as raised, Clock().step("encode all slices"):
        raise error
    assert str(raised.value) == f"The step 'encode all slices' of the demo failed: {reason}"


def test_the_clock_keeps_the_order() -> None:
    clock = Clock()
    for name in ("one", "two"):
        with clock.step(name):
            pass
    assert list(clock.steps) == ["one", "two"]
    assert all(seconds >= 0 for seconds in clock.steps.values())


def test_the_request_of_the_demo() -> None:
    assert DemoRequest().output == Path("demo-output")
