from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import pytest

from bench.pseudo.__main__ import main
from bench.pseudo.experiments import EXPERIMENTS
from bench.pseudo.maps import WAYS
from bench.pseudo.rows import EMBEDDING_CAM, Row, latest_rows
from bench.pseudo.sets import Source, find_sets, show
from sammed.datasets.pseudo.cam.config import CamConfig, Network
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.students.config import StudentConfig
from tests.bench.conftest import Run

STUDENT = StudentConfig(
    network="unet", size_px=32, features=(4, 4, 4, 4, 4, 4), loss="dice+ce", batch_size=2, steps=2
)
AUTO = (
    ("learning.assist.steps", "2"),
    ("learning.assist.point_steps", "2"),
    ("learning.sap_net.steps", "2"),
    ("learning.choosing.folds", "2"),
    ("learning.choosing.steps", "2"),
)


def small_sets(data: Path) -> dict[str, Source]:
    """The sets with fewer cases, and a student that is trained in no time."""
    return {name: smaller(source) for name, source in find_sets(data).items()}


def smaller(source: Source) -> Source:
    return replace(
        source,
        tested=2 if source.group else 1,
        gold=None if source.gold_cases else 2,
        slices=None if source.slices is None else 2,
        weak=(1, 2),
        auto=AUTO,
        student=STUDENT,
    )


Measure = Callable[[str, str], list[Row]]


@pytest.fixture
def measure(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Measure:
    """`measure("base", "BUSI")` runs one experiment on one set with one seed and returns its rows."""
    monkeypatch.setattr("bench.pseudo.__main__.find_sets", small_sets)

    def measured(experiment: str, name: str) -> list[Row]:
        options = ("--data", data, "--seeds", 1, "--only", experiment, "--set", name)
        run(main, *options, "--output", tmp_path / "results")
        return latest_rows(tmp_path / "results")

    return measured


def test_sets_as_they_are_laid_out(data: Path) -> None:
    sets = find_sets(data)
    assert list(sets) == ["hippocampus", "ACDC", "BUSI", "X-ray", "polyps"]
    assert [len(source.truth.cases) for source in sets.values()] == [4, 4, 5, 5, 5]


def test_what_a_seed_shows_of_a_set(data: Path) -> None:
    shown = show(smaller(find_sets(data)["ACDC"]), seed=0)
    tested = {case.name[:10] for case in shown.truth.part("test").cases}
    (gold,) = (case for case in shown.visible.part("train").cases if case.is_gold)
    assert len(tested) == 1
    assert gold.name[:10] not in tested
    assert gold.name.endswith("_frame01")
    assert len(gold.annotated_slices or ()) == 2
    assert len(shown.wanted) == 2  # the other slices of the gold volume, and the other frame


@pytest.mark.parametrize("name", ["hippocampus", "BUSI"])
def test_references(measure: Measure, name: str) -> None:
    rows = measure("base", name)
    assert [(row.way, row.measure) for row in rows] == [("the truth", "student"), ("gold alone", "student")]
    assert all(0 <= row.value <= 1 for row in rows)


@pytest.fixture(autouse=True)
def few_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(ProposalConfig, points_per_side=4)
    monkeypatch.setattr("sammed.datasets.pseudo.coarse.weak_label.ProposalConfig", few)
    monkeypatch.setattr("bench.pseudo.rounds.PROPOSALS", {"proposals.points_per_side": "4"})


@pytest.mark.parametrize(
    ("experiment", "name"), [("auto", "polyps"), ("coarse", "X-ray"), ("weak prompts", "BUSI")]
)
def test_labels_and_the_student_that_learns_from_them(measure: Measure, experiment: str, name: str) -> None:
    rows = measure(experiment, name)
    assert {row.measure for row in rows} == {"labels", "student"}


def test_rounds(measure: Measure) -> None:
    rows = measure("rounds", "polyps")
    assert {"SamDSK", "plain", "SamDSK, at the end"} == {row.way for row in rows}
    assert [row.number for row in rows if (row.way, row.measure) == ("plain", "student")] == [0, 1, 2]


@pytest.mark.parametrize("experiment", ["cam", EMBEDDING_CAM])
def test_activation_maps(measure: Measure, experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(network: Network = "resnet18", **_settings: object) -> CamConfig:
        return CamConfig(network=network, image_size=32, epochs=1, least_gain=0.0)

    monkeypatch.setattr("bench.pseudo.maps.CamConfig", small)
    monkeypatch.setattr("bench.pseudo.maps.WAYS", WAYS[:2])
    rows = measure(experiment, "ACDC")
    assert {row.measure for row in rows} >= {"recall"}


def test_kinds_of_prompts(measure: Measure) -> None:
    rows = measure("prompts", "BUSI")
    assert len({row.way for row in rows}) == 10


def test_a_second_run_measures_nothing(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = measure("base", "BUSI")
    monkeypatch.setattr("bench.pseudo.__main__.EXPERIMENTS", dict.fromkeys(EXPERIMENTS))
    assert measure("base", "BUSI") == rows


def test_the_folder_of_images_is_needed(run: Run) -> None:
    with pytest.raises(click.UsageError, match="--data FOLDER"):
        run(main, "--output", "results")
