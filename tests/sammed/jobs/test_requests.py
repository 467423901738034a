"""Requests refuse what can't be meant, in one sentence."""

from pathlib import Path

import pytest
from sammed.jobs.requests import (
    ClickingRequest,
    DemoRequest,
    GeneratorRequest,
    LabelingRequest,
    PromptingRequest,
    TrainingRequest,
)

from sammed.errors import ConfigError

PAIR = {"image": Path("image.nii.gz"), "labels": Path("label.nii.gz")}


def test_defaults_are_whole():
    """What the two commands of the design need is asked for without any option."""
    assert TrainingRequest(slices=2).output == Path("skill.safetensors")
    assert LabelingRequest(inputs=(Path("volume.nii.gz"),)).skill == Path("skill.safetensors")
    assert DemoRequest().output == Path("demo-output")
    assert ClickingRequest(**PAIR).points == (1, 3, 5, 10)


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        pytest.param(TrainingRequest, {"image": Path("a")}, "an image and its labels", id="image alone"),
        pytest.param(TrainingRequest, {"slices": 0}, "one annotated slice or more", id="no slice"),
        pytest.param(TrainingRequest, {"slices": 2, "slice_index": (3,)}, "not both", id="drawn and named"),
        pytest.param(TrainingRequest, {"slice_index": (3, -1)}, "there is no slice -1", id="-1"),
        pytest.param(TrainingRequest, {"empty_slices": (5, 5)}, "Empty slices name 5 twice", id="twice"),
        pytest.param(TrainingRequest, {"draw": "odd"}, "no way to draw slices 'odd'", id="draw"),
        pytest.param(TrainingRequest, {"prompts": "text"}, "no kind of prompts 'text'", id="prompts"),
        pytest.param(TrainingRequest, {"axis": 3}, "must be 0, 1 or 2, not 3", id="axis"),
        pytest.param(TrainingRequest, {"seed": -1}, "A seed is 0 or more", id="seed"),
        pytest.param(TrainingRequest, {"output": Path("a.pt")}, "ends in .safetensors; a.pt", id="suffix"),
        pytest.param(TrainingRequest, {"backbone": "sam"}, "There is no backbone 'sam'", id="backbone"),
        pytest.param(GeneratorRequest, PAIR, "Say where the new skill goes", id="replace unasked"),
        pytest.param(GeneratorRequest, {**PAIR, "output": Path("a")}, ".safetensors", id="new suffix"),
        pytest.param(LabelingRequest, {"inputs": ()}, "nothing to label", id="no input"),
        pytest.param(
            LabelingRequest,
            {"inputs": (Path("a"),), "generator": "sam"},
            "no generator 'sam'",
            id="generator",
        ),
        pytest.param(PromptingRequest, {"image": Path("a")}, "There is no prompt", id="no prompt"),
        pytest.param(ClickingRequest, {**PAIR, "points": (0,)}, "one point or more, not 0", id="no point"),
        pytest.param(ClickingRequest, {**PAIR, "seeds": ()}, "one seed or more", id="no seed"),
        pytest.param(
            ClickingRequest,
            {**PAIR, "points": (), "boxes": False, "composite": False},
            "nothing to simulate",
            id="nothing to simulate",
        ),
        pytest.param(DemoRequest, {"backbone": "vgg"}, "There is no backbone 'vgg'", id="demo"),
    ],
)
def test_what_is_refused(kind, settings, sentence):
    with pytest.raises(ConfigError) as error:
        kind(**settings)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
