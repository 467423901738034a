"""`auto-train`: learn the generator of a skill again, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sammed.errors import AnnotationError, ConfigError, SkillError
from sammed.jobs.assist_train import AssistTrainRequest, assist_train
from sammed.jobs.auto_train import AutoTrainRequest, auto_train
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill
from sammed_volumes.formats import write_labels
from tests.conftest import Phantom
from tests.sammed.conftest import Case


def test_a_skill_without_a_generator_gets_one(case: Case, tmp_path: Path) -> None:
    first = AssistTrainRequest(image=case.image, labels=case.labels, slices=1, auto=False, label=("2",))
    assist_train(first, Silent())
    with pytest.raises(SkillError, match="auto-train"):
        read_skill(tmp_path / "skill.safetensors").require_auto()
    again = AutoTrainRequest(image=case.image, labels=case.labels, slice_index=(6,), overwrite=True)
    auto_train(again, Silent())
    assert read_skill(tmp_path / "skill.safetensors").auto is not None


def test_nothing_but_the_generator_changes(case: Case, skill: Path, tmp_path: Path) -> None:
    before, output = read_skill(skill), tmp_path / "again.safetensors"
    result = auto_train(
        AutoTrainRequest(image=case.image, labels=case.labels, skill=skill, slices=1, seed=5, output=output),
        Silent(),
    )
    after = read_skill(output)
    assert len(result.annotated_slices) == 1
    for name in ("backbone", "backbone_digest", "plane", "axis", "window", "labels", "prompts", "seed"):
        assert getattr(after, name) == getattr(before, name), name
    for value, encoder in before.encoders.items():
        for name, weight in encoder.items():
            assert weight.equal(after.encoders[value][name]), f"the prompt encoder of {value} changed: {name}"
    old, new = before.require_auto().sap_net.prototypes, after.require_auto().sap_net.prototypes
    assert not old.looks.equal(new.looks)


def test_a_value_that_means_another_structure_is_not_learned(
    case: Case, skill: Path, phantom: Callable[..., Phantom]
) -> None:
    """The same value with another name is another organ."""
    made = phantom()
    named = (replace(made.labels.labels[0], name="spleen"), *made.labels.labels[1:])
    write_labels(replace(made.labels, labels=named), case.labels, like=made.volume, overwrite=True)
    with pytest.raises(AnnotationError, match="calls the label 1 'spleen' and the skill calls it 'lung'"):
        auto_train(
            AutoTrainRequest(image=case.image, labels=case.labels, skill=skill, overwrite=True), Silent()
        )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({}, "Say where the new skill goes", id="overwrite without permission"),
        pytest.param({"output": Path("a")}, ".safetensors", id="suffix"),
    ],
)
def test_requests_that_make_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        AutoTrainRequest(image=Path("image.nii.gz"), labels=Path("label.nii.gz"), **settings)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
