"""`sammed synthesize`: what the job is asked for, what is shown, and the exit status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.jobs.synthesize.sample import SynthesizeSampleRequest, SynthesizeSampleResult
from sammed.jobs.synthesize.train import SynthesizeTrainRequest, SynthesizeTrainResult

if TYPE_CHECKING:
    from sammed.progress import Reporter
    from tests.cli.conftest import Sammed, StandIn


TRAIN = "sammed.jobs.synthesize.train:synthesize_train"


@pytest.fixture
def set_folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def trained(
    request: SynthesizeTrainRequest, _reporter: Reporter, problems: tuple[Problem, ...] = ()
) -> SynthesizeTrainResult:
    return SynthesizeTrainResult(
        model=request.output,
        pictures=7,
        image_size=64,
        shape=(40, 48),
        steps=3,
        loss=0.25,
        problems=problems,
        seconds=1.5,
    )


def test_train_passes_its_settings_on(sammed: Sammed, set_folder: Path, stand_in: StandIn) -> None:
    asked = stand_in(TRAIN, trained)
    run = sammed("synthesize", "train", set_folder, "--set", "width=32", "--set", "steps=3", "--json")
    assert run.exit_code == 0
    assert run.json["model"] == "diffusion.safetensors"
    (request,) = asked
    assert request.settings == {"width": "32", "steps": "3"}
    assert (request.config().width, request.config().steps) == (32, 3)


def test_train_says_which_cases_were_left_out_and_fails(
    sammed: Sammed, set_folder: Path, stand_in: StandIn
) -> None:
    def job(request: SynthesizeTrainRequest, reporter: Reporter) -> SynthesizeTrainResult:
        return trained(request, reporter, (Problem("anna", "it is no whole picture"),))

    stand_in(TRAIN, job)
    run = sammed("synthesize", "train", set_folder)
    assert run.exit_code == 1
    assert "anna" in run.stderr
    assert "48 x 40" in run.stderr


def test_a_setting_that_there_is_not(sammed: Sammed, set_folder: Path) -> None:
    run = sammed("synthesize", "train", set_folder, "--set", "color=blue")
    assert run.exit_code == 2
    assert "There is no setting 'color'" in run.sentence


def test_sample(sammed: Sammed, tmp_path: Path, stand_in: StandIn) -> None:
    model = tmp_path / "diffusion.safetensors"
    model.touch()

    def job(request: SynthesizeSampleRequest, _reporter: Reporter) -> SynthesizeSampleResult:
        return SynthesizeSampleResult(
            output=request.output,
            files=(request.output / "a.png",),
            labeled_set=None,
            shape=(40, 48),
            seconds=1.0,
        )

    asked = stand_in("sammed.jobs.synthesize.sample:synthesize_sample", job)
    run = sammed("synthesize", "sample", model, "--count", 5, "--output", "new", "--steps", 50, "--json")
    assert run.exit_code == 0
    assert run.json["files"] == [str(Path("new/a.png"))]
    assert (asked[0].count, asked[0].steps, asked[0].gold) == (5, 50, None)


def test_a_file_that_is_no_model(sammed: Sammed, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("nothing")
    run = sammed("synthesize", "sample", "model.safetensors", "--count", 1, "--output", "new")
    assert run.exit_code == 1
    assert "is not a diffusion model" in run.sentence
    assert not (tmp_path / "new").exists()


def test_the_number_of_pictures_is_needed(sammed: Sammed, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    assert sammed("synthesize", "sample", "model.safetensors", "--output", "new").exit_code == 2
