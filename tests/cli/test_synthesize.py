"""`sammed synthesize`: what the job is asked for, what is shown, and the exit status."""

from pathlib import Path

import pytest

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.jobs.synthesizing import SamplingResult, SynthesisTrainingResult


@pytest.fixture
def set_folder(tmp_path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def trained(request, _reporter, problems=()):
    return SynthesisTrainingResult(
        model=request.output,
        pictures=7,
        image_size=64,
        shape=(40, 48),
        steps=3,
        loss=0.25,
        problems=problems,
        seconds=1.5,
    )


def real_requests(monkeypatch, name, job):
    """The job replaced, the requests real."""
    import sammed.jobs.synthesizing as module

    asked = []

    def stand_in(request, reporter):
        asked.append(request)
        return job(request, reporter)

    monkeypatch.setattr(module, name, stand_in)
    return asked


def test_train_passes_its_settings_on(sammed, set_folder, monkeypatch):
    asked = real_requests(monkeypatch, "train_model", trained)
    run = sammed("synthesize", "train", set_folder, "--set", "width=32", "--set", "steps=3", "--json")
    assert run.exit_code == 0
    assert run.json["model"] == "diffusion.safetensors"
    (request,) = asked
    assert request.settings == {"width": "32", "steps": "3"}
    assert (request.config().width, request.config().steps) == (32, 3)


def test_train_says_which_cases_were_left_out_and_fails(sammed, set_folder, monkeypatch):
    def job(request, reporter):
        return trained(request, reporter, (Problem("anna", "it is no whole picture"),))

    real_requests(monkeypatch, "train_model", job)
    run = sammed("synthesize", "train", set_folder)
    assert run.exit_code == 1
    assert "anna" in run.stderr
    assert "48 x 40" in run.stderr


def test_a_setting_that_there_is_not(sammed, set_folder):
    run = sammed("synthesize", "train", set_folder, "--set", "color=blue")
    assert run.exit_code == 2
    assert "There is no setting 'color'" in run.sentence


def test_sample(sammed, tmp_path, monkeypatch):
    model = tmp_path / "diffusion.safetensors"
    model.touch()

    def job(request, _reporter):
        return SamplingResult(
            output=request.output,
            files=(request.output / "a.png",),
            labeled_set=None,
            shape=(40, 48),
            seconds=1.0,
        )

    asked = real_requests(monkeypatch, "sample", job)
    run = sammed("synthesize", "sample", model, "--count", 5, "--output", "new", "--steps", 50, "--json")
    assert run.exit_code == 0
    assert run.json["files"] == [str(Path("new/a.png"))]
    assert (asked[0].count, asked[0].steps, asked[0].gold) == (5, 50, None)


def test_a_file_that_is_no_model(sammed, tmp_path):
    (tmp_path / "model.safetensors").write_text("nothing")
    run = sammed("synthesize", "sample", "model.safetensors", "--count", 1, "--output", "new")
    assert run.exit_code == 1
    assert "is not a diffusion model" in run.sentence
    assert not (tmp_path / "new").exists()


def test_the_number_of_pictures_is_needed(sammed, tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert sammed("synthesize", "sample", "model.safetensors", "--output", "new").exit_code == 2
