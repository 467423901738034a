"""The commands that learn and label: options become requests, results tables, JSON and exit statuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from sammed.batch.result import LabelingItem, LabelingResult
from sammed.batch.shards import Shard
from sammed.embeddings.config import EncodingConfig
from sammed.errors import AnnotationError
from sammed.jobs.assist_evaluate import AssistEvaluateRequest, AssistEvaluateResult, ClickingRow
from sammed.jobs.assist_label import AssistLabelRequest, AssistLabelResult
from sammed.jobs.assist_train import AssistTrainRequest, AssistTrainResult
from sammed.jobs.auto_label import AutoLabelRequest
from sammed.jobs.auto_train import AutoTrainRequest
from sammed.jobs.demo import DemoRequest, DemoResult
from sammed.prompts.marks import BoxMark, PointMark
from sammed.reports.report import Table

if TYPE_CHECKING:
    from sammed.progress import Reporter
    from tests.cli.conftest import Case, Sammed, StandIn


TRAINED = AssistTrainResult(
    skill=Path("skill.safetensors"),
    backbone="lite-medsam",
    axis=2,
    annotated_slices=(3, 7),
    background_slices=(0,),
    labels=("lung", "heart"),
    trainable_parameters=12440,
    seconds=9.25,
    expected_dice={"lung": 0.95, "heart": None},
)
DONE = LabelingItem(
    image=Path("a.nii"), output=Path("a_label.nii.gz"), status="done", slices=9, labels=("lung",)
)
BAD = LabelingItem(image=Path("b.nii"), output=None, status="failed", error="b.nii is empty.")
WORDS_ON_THE_MACHINE = ("--device", "cpu", "--runtime", "torch", "--precision", "bfloat16")
DASH = "\N{EN DASH}"  # stands where there is no value
ON_THE_MACHINE = EncodingConfig(device="cpu", runtime="torch", precision="bfloat16")


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    path = tmp_path / "skill.safetensors"
    path.touch()
    return Path(path.name)


def test_assist_train_without_files(sammed: Sammed, stand_in: StandIn) -> None:
    requests = stand_in("sammed.jobs.assist_train:assist_train", lambda *_: TRAINED)
    run = sammed("assist-train", "--slices", "2", "--json")
    assert (run.exit_code, run.stderr) == (0, "")
    assert requests == [AssistTrainRequest(slices=2)]
    assert run.json == {
        "skill": "skill.safetensors",
        "backbone": "lite-medsam",
        "axis": 2,
        "annotated_slices": [3, 7],
        "background_slices": [0],
        "labels": ["lung", "heart"],
        "trainable_parameters": 12440,
        "seconds": 9.25,
        "expected_dice": {"lung": 0.95, "heart": None},
    }


def test_assist_train_with_every_option(sammed: Sammed, stand_in: StandIn, case: Case) -> None:
    requests = stand_in("sammed.jobs.assist_train:assist_train", lambda *_: TRAINED)
    run = sammed(
        *("assist-train", case.image, case.labels, "--slice-index", "3,7", "--empty-slices", "0,12"),
        *("--draw", "even", "--label", "lung", "--label", "2", "--prompts", "boxes", "--no-auto"),
        *(
            "--name",
            "2=heart",
            "--backbone",
            "sam-vit-b",
            "--checkpoint",
            case.image,
            *WORDS_ON_THE_MACHINE,
            "--axis",
            "1",
        ),
        *("--window", "lung", "--seed", "7", "--series", "2", "--flatten", "--output", "new.safetensors"),
        *("--overwrite", "--fill-gaps"),
    )
    assert (run.exit_code, run.stdout) == (0, "")
    assert requests == [
        AssistTrainRequest(
            image=case.image,
            labels=case.labels,
            slice_index=(3, 7),
            empty_slices=(0, 12),
            draw="even",
            label=("lung", "2"),
            names={2: "heart"},
            prompts="boxes",
            auto=False,
            axis=1,
            window="lung",
            seed=7,
            series="2",
            fill_gaps=True,
            flatten=True,
            output=Path("new.safetensors"),
            overwrite=True,
            encoding=replace(ON_THE_MACHINE, backbone="sam-vit-b", checkpoint=case.image),
        )
    ]
    assert ["annotated", "slices", "(axis", "2)", "3,", "7"] in run.rows
    assert ["slices", "learned", "as", "empty", "0"] in run.rows
    assert run.rows[-2:] == [["lung", "0.950"], ["heart", DASH]]


def test_an_image_needs_its_labels(sammed: Sammed, case: Case) -> None:
    run = sammed("assist-train", case.image)
    assert (run.exit_code, run.sentence) == (2, "Give an image and its labels, or neither.")


def test_slices_are_drawn_or_named(sammed: Sammed) -> None:
    run = sammed("assist-train", "--slices", "2", "--slice-index", "4")
    assert (run.exit_code, run.sentence) == (
        2,
        "Choose the number of annotated slices (--slices) or their indices (--slice-index), not both.",
    )


def test_what_the_job_raises_is_said(sammed: Sammed, stand_in: StandIn) -> None:
    def fail(*_: object) -> NoReturn:
        raise AnnotationError("No slice shows the liver.")

    stand_in("sammed.jobs.assist_train:assist_train", fail)
    run = sammed("assist-train", "--json")
    assert (run.exit_code, run.json) == (1, {"error": "No slice shows the liver."})


def test_messages_of_a_job_go_to_stderr(sammed: Sammed, stand_in: StandIn) -> None:
    def talk(_: object, reporter: Reporter) -> AssistTrainResult:
        reporter.message("No image here, so the demo's CT is taken [1].")
        with reporter.task("learning", 3) as task:
            task.advance(3)
        return TRAINED

    stand_in("sammed.jobs.assist_train:assist_train", talk)
    run = sammed("assist-train", "--json")
    assert run.json["axis"] == 2
    assert run.stderr == "No image here, so the demo's CT is taken [1].\nlearning ...\n"


def test_auto_train(sammed: Sammed, stand_in: StandIn, case: Case, skill: Path) -> None:
    requests = stand_in("sammed.jobs.auto_train:auto_train", lambda *_: TRAINED)
    run = sammed(
        *("auto-train", case.image, case.labels, "--slices", "5", "--overwrite", "--seed", "3"),
        *WORDS_ON_THE_MACHINE,
    )
    assert run.exit_code == 0
    assert requests == [
        AutoTrainRequest(
            image=case.image,
            labels=case.labels,
            skill=skill,
            slices=5,
            overwrite=True,
            seed=3,
            encoding=ON_THE_MACHINE,
        )
    ]


def test_auto_train_does_not_replace_a_skill_unasked(sammed: Sammed, case: Case, skill: Path) -> None:
    run = sammed("auto-train", case.image, case.labels)
    assert run.exit_code == 2
    assert run.sentence == (
        "Say where the new skill goes (--output), or allow replacing skill.safetensors (--overwrite)."
    )


def test_auto_label(sammed: Sammed, stand_in: StandIn, skill: Path) -> None:
    requests = stand_in("sammed.jobs.auto_label:auto_label", lambda *_: LabelingResult(items=(DONE,)))
    run = sammed("auto-label", "a.nii", "--json")
    assert run.exit_code == 0
    assert requests == [AutoLabelRequest(inputs=(Path("a.nii"),), skill=skill)]
    item = {
        "image": "a.nii",
        "output": "a_label.nii.gz",
        "status": "done",
        "seconds": 0.0,
        "slices": 9,
        "labels": ["lung"],
        "error": None,
    }
    assert run.json == {"items": [item]}
    assert run.stderr == "1 labeled, 0 skipped, 0 failed.\n"


def test_auto_label_with_every_option(sammed: Sammed, stand_in: StandIn, case: Case) -> None:
    requests = stand_in("sammed.jobs.auto_label:auto_label", lambda *_: LabelingResult(items=()))
    sammed(
        *("auto-label", "scans", "b.mha", "--skill", case.image, "--generator", "propagation"),
        *("--output", "labels", "--format", ".seg.nrrd", "--series", "1", "--overwrite"),
        *("--checkpoint", case.image, *WORDS_ON_THE_MACHINE),
        *("--list", case.image, "--manifest", "m.jsonl", "--no-resume", "--shard", "3/16", "--workers", "2"),
    )
    assert requests == [
        AutoLabelRequest(
            inputs=(Path("scans"), Path("b.mha")),
            skill=case.image,
            generator="propagation",
            output=Path("labels"),
            suffix=".seg.nrrd",
            series="1",
            overwrite=True,
            lists=(case.image,),
            manifest=Path("m.jsonl"),
            resume=False,
            shard=Shard(3, 16),
            workers=2,
            encoding=replace(ON_THE_MACHINE, checkpoint=case.image),
        )
    ]


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        pytest.param([], 2, "There is nothing to label: give an image, a folder or a list.", id="nothing"),
        pytest.param(["a", "--shard", "17/16"], 2, "There is no shard 17/16", id="no such shard"),
        pytest.param(["a", "--workers", "0"], 2, "0 is not in the range x>=1", id="no worker"),
        pytest.param(["a", "--workers", "2", "--cluster", "tcp://b:1"], 2, "not both", id="two clusters"),
    ],
)
def test_what_can_not_be_meant(
    sammed: Sammed, skill: Path, words: list[str], status: int, sentence: str
) -> None:
    run = sammed("auto-label", *words)
    assert run.exit_code == status
    assert sentence in run.stderr


def test_a_batch_with_a_failure_exits_1_and_shows_it_last(
    sammed: Sammed, stand_in: StandIn, skill: Path
) -> None:
    stand_in("sammed.jobs.auto_label:auto_label", lambda *_: LabelingResult(items=(BAD, DONE)))
    run = sammed("auto-label", "scans")
    assert (run.exit_code, run.stdout) == (1, "")
    assert [row[:2] for row in run.rows[2:4]] == [["a.nii", "done"], ["b.nii", "failed"]]
    assert "b.nii is empty." in run.stderr
    assert run.stderr.splitlines()[-1] == "1 labeled, 0 skipped, 1 failed."
    as_json = sammed("auto-label", "scans", "--json")
    assert as_json.exit_code == 1
    assert [item["status"] for item in as_json.json["items"]] == ["failed", "done"]


def test_a_batch_that_was_interrupted_shows_what_is_done_and_exits_130(
    sammed: Sammed, stand_in: StandIn, skill: Path
) -> None:
    stand_in("sammed.jobs.auto_label:auto_label", lambda *_: LabelingResult(items=(DONE,), interrupted=True))
    run = sammed("auto-label", "scans")
    assert run.exit_code == 130
    assert "a_label.nii.gz" in run.stderr
    assert run.stderr.splitlines()[-2:] == [
        "1 labeled, 0 skipped, 0 failed.",
        "Error: Interrupted; finished files are kept, unfinished ones are removed.",
    ]


def test_assist_label(sammed: Sammed, stand_in: StandIn, case: Case) -> None:
    result = AssistLabelResult(
        image=case.image,
        output=Path("out.nii.gz"),
        backbone="lite-medsam",
        axis=2,
        slices=(5,),
        labels=("liver",),
        seconds=0.5,
    )
    requests = stand_in("sammed.jobs.assist_label:assist_label", lambda *_: result)
    run = sammed(
        *("assist-label", case.image, "--point", "liver:20,18,5,+", "--point", "liver:2,2,5,-"),
        *("--box", "liver:10,9,5,30,28,5", "--frame", "ras_mm", "--json", "--output", "out.nii.gz"),
    )
    assert run.exit_code == 0, run.stderr
    [request] = requests
    assert isinstance(request, AssistLabelRequest)
    assert (request.frame, request.output, request.skill) == ("ras_mm", Path("out.nii.gz"), None)
    assert [mark.label for mark in request.marks] == ["liver"] * 3
    first, _, box = request.marks
    assert isinstance(first, PointMark)
    assert isinstance(box, BoxMark)
    assert first.position == (20, 18, 5)
    assert box.last == (30, 28, 5)
    assert run.json["slices"] == [5]
    assert run.json["output"] == "out.nii.gz"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        pytest.param([], 2, "There is no prompt: give a file of prompts, a point or a box.", id="none"),
        pytest.param(["--point", "liver:1,2,+"], 1, "a point is i,j,k,+ or i,j,k,-", id="two numbers"),
        pytest.param(["--point", "liver:1,2,3"], 1, "a point is i,j,k,+ or i,j,k,-", id="no sign"),
        pytest.param(["--box", "liver:9,9,5,1,1,5"], 1, "is inside out", id="box turned inside out"),
    ],
)
def test_assist_label_with_bad_prompts(
    sammed: Sammed, case: Case, arguments: list[str], status: int, sentence: str
) -> None:
    run = sammed("assist-label", case.image, *arguments)
    assert run.exit_code == status
    assert sentence in run.sentence


def test_assist_evaluate(sammed: Sammed, stand_in: StandIn, case: Case) -> None:
    row = ClickingRow("lite-medsam", True, "points", 3, 0.8125, float("nan"), 9)
    requests = stand_in(
        "sammed.jobs.assist_evaluate:assist_evaluate", lambda *_: AssistEvaluateResult((row,))
    )
    run = sammed("assist-evaluate", case.image, case.labels, "--json")
    assert requests == [AssistEvaluateRequest(image=case.image, labels=case.labels)]
    assert run.json == {
        "rows": [
            {
                "backbone": "lite-medsam",
                "trained": True,
                "prompt": "points",
                "count": 3,
                "dice_mean": 0.8125,
                "dice_std": None,
                "slices": 9,
            }
        ]
    }
    shown = sammed(
        *("assist-evaluate", case.image, case.labels, "--points", "1,2", "--no-boxes", "--composite"),
        *("--seeds", "4", "--label", "lung", "--exclude-slices", "3,7", "--skill", case.image),
    )
    assert requests[1] == AssistEvaluateRequest(
        image=case.image,
        labels=case.labels,
        skill=case.image,
        points=(1, 2),
        boxes=False,
        seeds=(4,),
        label=("lung",),
        exclude_slices=(3, 7),
    )
    assert ["lite-medsam", "learned", "points", "3", "0.812", DASH, "9"] in shown.rows


def test_points_can_be_left_out(sammed: Sammed, stand_in: StandIn, case: Case) -> None:
    requests = stand_in("sammed.jobs.assist_evaluate:assist_evaluate", lambda *_: AssistEvaluateResult(()))
    sammed("assist-evaluate", case.image, case.labels, "--points", "none", "--boxes")
    assert requests[0].points == ()


def test_demo(sammed: Sammed, stand_in: StandIn) -> None:
    table = Table("Dice", ("Prompt", "right lung"), (("1 point", 0.5), ("automatic", float("nan"))))
    result = DemoResult(output=Path("out"), files=(Path("out/report.html"),), tables=(table,), seconds=1.0)
    requests = stand_in("sammed.jobs.demo:demo", lambda *_: result)
    run = sammed("demo", "--output", "out", "--seed", "2", "--overwrite", "--json")
    assert requests == [DemoRequest(output=Path("out"), seed=2, overwrite=True)]
    rows = [{"Prompt": "1 point", "right lung": 0.5}, {"Prompt": "automatic", "right lung": None}]
    assert run.json == {
        "output": "out",
        "files": ["out/report.html"],
        "tables": [{"title": "Dice", "rows": rows}],
        "seconds": 1.0,
    }
    shown = sammed("demo")
    assert requests[1] == DemoRequest()
    assert ["automatic", DASH] in shown.rows
    assert "report.html" in shown.stderr.splitlines()[-1]
