"""`assist-label`: masks from prompts in a file and from single prompts, with a skill and without."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.embeddings.config import EncodingConfig
from sammed.errors import ConfigError, PromptError, SkillError
from sammed.jobs.assist_label import AssistLabelRequest, AssistLabelResult, assist_label
from sammed.progress import Silent
from sammed.prompts.marks import parse_box, parse_point
from sammed.skills.skill_file import read_skill, skill_digest, write_skill
from sammed.storage.provenance import read_provenance
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, read_volume
from tests.sammed.conftest import Case


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file with a box for the heart on slice 6 and a point in the lung on slice 4."""
    path = tmp_path / "prompts.json"
    entries = [
        {"label": "heart", "boxes": [[8, 8, 6, 24, 22, 6]]},
        {"label": "lung", "slice": 4, "points": [[28, 17, "+"], [2, 2, "-"]]},
    ]
    path.write_text(json.dumps({"prompts": entries}), encoding="utf-8")
    return path


def run(case: Case, **settings: Any) -> AssistLabelResult:
    return assist_label(AssistLabelRequest(image=case.image, **settings), Silent())


def test_prompts_of_a_file(case: Case, prompts: Path, tmp_path: Path) -> None:
    result = run(case, prompts=prompts)
    assert (result.axis, result.slices, result.labels) == (2, (4, 6), ("heart", "lung"))
    assert result.output == tmp_path / "Frau Süß_label.nii.gz"
    found = read_labels(result.output)
    assert found.shape == read_volume(case.image).shape
    empty = np.setdiff1d(np.arange(13), result.slices)
    assert not found.voxels[:, :, empty].any(), "a slice without a prompt was labeled"


def test_provenance_lists_the_slices_with_prompts(case: Case, prompts: Path, skill: Path) -> None:
    result = run(case, prompts=prompts, skill=skill)
    written = read_provenance(result.output)
    assert written is not None
    assert (written.origin, written.axis, written.annotated_slices) == ("gold", 2, (4, 6))
    assert (written.image_file, written.method) == (case.image.name, "sam_assist")
    assert written.skill_digest == skill_digest(read_skill(skill))


def test_a_skill_s_labels_and_encoders(case: Case, skill: Path, prompts: Path) -> None:
    result = run(case, prompts=prompts, skill=skill)
    assert result.backbone == "tiny"
    values = {label.name: label.value for label in read_labels(result.output).labels}
    assert values == {"lung": 1, "heart": 2}, "the values are those of the skill"


def test_prompts_in_millimeters_mean_the_same_place(case: Case, prompts: Path, tmp_path: Path) -> None:
    by_index = run(case, marks=(parse_box("heart:8,8,6,24,22,6"),), output=tmp_path / "a.nii.gz")
    affine = read_volume(case.image).affine_ras_mm
    corners = [affine[:3] @ (*corner, 1) for corner in ((8, 8, 6), (24, 22, 6))]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    text = ",".join(f"{number:.6f}" for number in (*low, *high))
    by_mm = run(case, marks=(parse_box(f"heart:{text}"),), frame="ras_mm", output=tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(read_labels(by_mm.output).voxels, read_labels(by_index.output).voxels)


def test_a_file_and_options_together(case: Case, prompts: Path) -> None:
    """A label that only an option names gets a value of its own; one that both name is one label."""
    marks = (parse_point("spleen:30,20,8,+"), parse_point("heart:16,15,7,+"), parse_point("9:5,5,2,+"))
    result = run(case, prompts=prompts, marks=marks)
    assert result.slices == (2, 4, 6, 7, 8)
    values = {label.name: label.value for label in read_labels(result.output).labels}
    assert values["heart"] == 1
    assert values["lung"] == 2
    assert values["label_9"] == 9
    assert values["spleen"] not in (1, 2, 9)


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        pytest.param(
            "heart:8,8,99,+", r"\(8, 8, 99\) is outside the volume, whose indices run to", id="outside"
        ),
        pytest.param(
            "spleen:8,8,6,+", "there is no label 'spleen'; the labels are: lung", id="unknown label"
        ),
        pytest.param("8,8,6,+", "has no label; name one of: lung", id="no label"),
        pytest.param("heart:8,8,6,-", "background points only", id="only background"),
    ],
)
def test_marks_that_say_nothing(case: Case, skill: Path, tmp_path: Path, mark: str, sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        run(case, marks=(parse_point(mark),), skill=skill)
    assert not (tmp_path / "Frau Süß_label.nii.gz").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param('{"prompts": []}', "no point and no box", id="nothing"),
        pytest.param(
            '{"prompts": [{"label": 2, "boxes": [[9, 9, 6, 5, 12, 6]]}]}', "inside out", id="inside out"
        ),
        pytest.param(
            '{"prompts": [{"points": [[9, 9, 6, "+"]], "box": []}]}', "'box' is unknown", id="unknown"
        ),
    ],
)
def test_a_file_that_says_nothing(case: Case, prompts: Path, text: str, sentence: str) -> None:
    prompts.write_text(text, encoding="utf-8")
    with pytest.raises(PromptError, match=sentence) as raised:
        run(case, prompts=prompts)
    assert str(prompts) in str(raised.value)


def test_nothing_is_overwritten(case: Case, prompts: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.nii.gz"
    output.write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        run(case, prompts=prompts, output=output)
    assert output.read_bytes() == b"mine"
    assert run(case, prompts=prompts, output=output, overwrite=True).output == output


@pytest.mark.parametrize(
    ("name", "sentence"), [("mask.jpg", r"not as mask\.jpg"), ("mask.png", r"no picture, .* into mask\.png")]
)
def test_labels_of_a_volume_are_no_pictures(
    case: Case, prompts: Path, tmp_path: Path, name: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run(case, prompts=prompts, output=tmp_path / name)


def test_a_skill_for_another_backbone(case: Case, skill: Path, prompts: Path) -> None:
    write_skill(replace(read_skill(skill), backbone_digest="0" * 64), skill, overwrite=True)
    with pytest.raises(SkillError, match="digests differ") as raised:
        run(case, prompts=prompts, skill=skill)
    assert str(skill) in str(raised.value)


def test_a_skill_and_another_backbone_contradict_each_other(case: Case, skill: Path, prompts: Path) -> None:
    with pytest.raises(ConfigError, match="leave out --backbone sam-vit-h") as raised:
        run(case, prompts=prompts, skill=skill, encoding=EncodingConfig(backbone="sam-vit-h"))
    assert str(skill) in str(raised.value)


def test_a_request_without_a_prompt() -> None:
    with pytest.raises(ConfigError, match=r"There is no prompt.*\.$"):
        AssistLabelRequest(image=Path("a"))
