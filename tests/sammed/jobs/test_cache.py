"""Jobs and the cache: what one run encoded costs the next one nothing, and no label comes out otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sammed.embeddings.config import EncodingConfig
from sammed.jobs.assist_label import AssistLabelRequest, assist_label
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.jobs.auto_train import AutoTrainRequest, auto_train
from sammed.progress import Silent
from sammed.prompts.marks import parse_box
from sammed_volumes.formats import read_labels

if TYPE_CHECKING:
    from tests.sammed.conftest import Case
    from tests.sammed.jobs.conftest import Counting


def test_another_run_encodes_nothing_and_makes_the_same_labels(
    case: Case, skill: Path, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "empty"))  # learning the skill has filled the other

    def labels(name: str, **settings: Any) -> np.ndarray:
        output = tmp_path / name
        result = auto_label(AutoLabelRequest(inputs=(case.image,), output=output, **settings), Silent())
        assert [item.status for item in result.items] == ["done"]
        return read_labels(output).voxels

    first = labels("first.nii.gz")
    assert counting.count == 13
    second, other = labels("second.nii.gz"), labels("other.nii.gz", generator="classification")
    assert counting.count == 13
    plain = labels("plain.nii.gz", encoding=EncodingConfig(cache=False))
    assert counting.count == 26
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, plain)
    assert other.shape == first.shape


def test_another_prompt_or_generator_costs_no_encoding(
    case: Case, skill: Path, counting: Counting, tmp_path: Path
) -> None:
    for place, corner in enumerate((9, 14)):
        mark = parse_box(f"lung:5,5,6,{corner},{corner},6")
        output = tmp_path / f"{place}.nii.gz"
        assist_label(AssistLabelRequest(image=case.image, marks=(mark,), output=output), Silent())
    assert counting.count == 1
    counts = []
    for name in ("a.safetensors", "b.safetensors"):
        request = AutoTrainRequest(
            image=case.image, labels=case.labels, skill=skill, slice_index=(5, 7), output=tmp_path / name
        )
        auto_train(request, Silent())
        counts.append(counting.count)
    assert counts[0] == counts[1]


def test_a_cache_that_can_not_be_used_changes_no_label(
    case: Case,
    skill: Path,
    counting: Counting,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path("no folder").touch()
    monkeypatch.setenv("SAMMED_CACHE", "no folder")
    result = auto_label(AutoLabelRequest(inputs=(case.image,), output=Path("found.nii.gz")), Silent())
    assert [item.status for item in result.items] == ["done"]
    assert caplog.text.count("can't be written") == 1
    assert counting.count == 13
