from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bench.accuracy.__main__ import main
from bench.accuracy.cases import find_cases
from bench.accuracy.rows import ROWS_NAME, Row, latest_rows
from bench.rows import append_rows
from sammed.assist.config import AssistConfig
from sammed.auto.sap_training import SapTrainingConfig
from sammed.jobs.demo_data import Pair
from tests.bench.conftest import Run


@pytest.fixture(autouse=True)
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = partial(AssistConfig, steps=2, point_steps=2, batch_size=2)
    monkeypatch.setattr("bench.accuracy.assist.AssistConfig", plan)
    monkeypatch.setattr("bench.accuracy.ablation.SapTrainingConfig", partial(SapTrainingConfig, steps=2))


def test_all_sets_are_found(chest: Pair, data: Path) -> None:
    cases = find_cases(data)
    assert [(case.group, case.folder) for case in cases if case.group != "hippocampus"] == [
        ("chest CT", ""),
        ("spleen CT", "spleen-ct-msd-crop"),
        ("abdomen CT", "ct_full_3mm"),
        ("left atrium", "ABC"),
        ("ACDC", "patient001_frame01"),
        ("ACDC", "patient001_frame12"),
        ("ACDC", "patient002_frame01"),
        ("ACDC", "patient002_frame09"),
    ]
    assert cases[2].tasks == [(1,), (2,)]
    assert cases[4].tasks == [(1, 2, 3)]
    assert {case.folder[:12] for case in cases[8:]} == {"hippocampus_"}


def test_automatic_labels_of_the_chest(chest: Pair, tmp_path: Path, run: Run) -> None:
    printed = run(main, "--seeds", 1, "--slices", 3, "--output", tmp_path / "results").output
    rows = latest_rows(tmp_path / "results")
    ways = {
        "automatic",
        "automatic, between",
        "automatic, beyond",
        "automatic, without the voices of the neighbors",
        "automatic, the paper's plain way",
        "coarse mask alone",
        "boxes from the truth, same skill",
    }
    assert {row.way for row in rows} == ways
    assert {(row.label, row.slices, row.seed) for row in rows} == {("right lung", 3, 0), ("left lung", 3, 0)}
    assert all(0 <= row.dice <= 1 for row in rows)
    assert printed.count("chest CT") == len(rows) == 14
    page = (tmp_path / "results" / "accuracy.md").read_text(encoding="utf-8")
    assert "| chest CT | left lung | 3 | coarse mask alone |" in page
    assert "## automatic, over boxes from the truth" in page


def test_interpolation_of_the_chest(chest: Pair, tmp_path: Path, run: Run) -> None:
    options = ("--measure", "interpolation", "--seeds", 1, "--slices", 3)
    run(main, *options, "--output", tmp_path / "results")
    rows = latest_rows(tmp_path / "results")
    methods = {"mean", "flow", "random-walker"}
    assert {row.way for row in rows if "," not in row.way} == methods
    assert {row.way for row in rows} >= {f"{method}, between" for method in methods}
    assert all(0 <= row.dice <= 1 for row in rows)


def test_ablation_and_simulated_users(chest: Pair, data: Path, tmp_path: Path, run: Run) -> None:
    options = ("--data", data, "--group", "spleen CT", "--seeds", 1, "--slices", 2)
    measures = ("--measure", "ablation", "--measure", "assist", "--draw", "paper")
    run(main, *options, *measures, "--output", tmp_path / "results")
    rows = latest_rows(tmp_path / "results")
    assert [row.table for row in rows] == ["ablation"] * 5 + ["assist"] * 12
    assert all(row.way.endswith("(slices sampled as in the paper)") for row in rows)
    assert "4 steps" in rows[-1].detail


def test_what_is_measured_is_not_measured_again(chest: Pair, tmp_path: Path, run: Run) -> None:
    results = tmp_path / "results"
    row = Row("automatic", "chest CT", "", "left lung", "automatic", 3, 0, 0.5)
    truth = replace(row, way="boxes from the truth, same skill", dice=0.8)
    append_rows(results / ROWS_NAME, [row, truth])
    run(main, "--seeds", 1, "--slices", 3, "--output", results)
    assert latest_rows(results) == [row, truth]
    assert "| chest CT | left lung | 0.625 | 0.97 missed |" in (results / "accuracy.md").read_text("utf-8")
