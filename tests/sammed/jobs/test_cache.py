"""Jobs and the cache: what one run encoded costs the next one nothing, and no label comes out otherwise."""

from pathlib import Path

import numpy as np
from sammed.jobs.labeling import label
from sammed.jobs.prompting import label_prompts
from sammed.jobs.requests import GeneratorRequest, LabelingRequest, PromptingRequest
from sammed.jobs.training import train_generator

from sammed.progress import Silent
from sammed.prompts.marks import parse_box
from sammed_volumes.formats import read_labels


def test_another_run_encodes_nothing_and_makes_the_same_labels(case, skill, counting, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "empty"))  # learning the skill has filled the other

    def labels(name: str, **settings: object) -> np.ndarray:
        output = tmp_path / name
        result = label(LabelingRequest(inputs=(case.image,), output=output, **settings), Silent())
        assert [item.status for item in result.items] == ["done"]
        return read_labels(output).voxels

    first = labels("first.nii.gz")
    assert counting.count == 13
    second, other = labels("second.nii.gz"), labels("other.nii.gz", generator="classification")
    assert counting.count == 13
    plain = labels("plain.nii.gz", cache=False)
    assert counting.count == 26
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, plain)
    assert other.shape == first.shape


def test_another_prompt_or_generator_costs_no_encoding(case, skill, counting, tmp_path):
    for place, corner in enumerate((9, 14)):
        mark = parse_box(f"lung:5,5,6,{corner},{corner},6")
        request = PromptingRequest(image=case.image, marks=(mark,), output=tmp_path / f"{place}.nii.gz")
        label_prompts(request, Silent())
    assert counting.count == 1
    counts = []
    for name in ("a.safetensors", "b.safetensors"):
        request = GeneratorRequest(
            image=case.image, labels=case.labels, skill=skill, slice_index=(5, 7), output=tmp_path / name
        )
        train_generator(request, Silent())
        counts.append(counting.count)
    assert counts[0] == counts[1]


def test_a_cache_that_can_not_be_used_changes_no_label(case, skill, counting, monkeypatch, caplog):
    Path("no folder").touch()
    monkeypatch.setenv("SAMMED_CACHE", "no folder")
    result = label(LabelingRequest(inputs=(case.image,), output=Path("found.nii.gz")), Silent())
    assert [item.status for item in result.items] == ["done"]
    assert caplog.text.count("can't be written") == 1
    assert counting.count == 13
