"""The filter: what is dropped, what is ignored, and what the report says."""

from typing import Any

import numpy as np
import pytest

from sammed.datasets.pseudo.filtering import Filter, apply_filter
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, failure, nothing_found
from sammed.errors import ConfigError
from sammed_volumes.labels import LabelVolume, default_label


def made(score: float = 0.7, scores: Any = None, ignore: Any = None) -> PseudoLabel:
    voxels = np.array([[[0, 1, 2]]], dtype=np.uint8)
    labels = LabelVolume(voxels, np.eye(4), (default_label(1), default_label(2)))
    return PseudoLabel("anna", labels, score, scores or {1: 0.9, 2: 0.5}, ignore)


def test_what_is_good_enough_is_kept() -> None:
    found = made()
    judged = apply_filter(found, Filter(0.7))
    assert (judged.pseudo_label, judged.verdict, judged.reason) == (found, "kept", None)


def test_a_poor_case_is_dropped_with_a_reason() -> None:
    judged = apply_filter(made(), Filter(0.71))
    assert (judged.pseudo_label, judged.verdict) == (None, "dropped")
    assert judged.reason == "Its score 0.700 is below 0.71."


def test_a_poor_label_is_ignored_beside_what_was_ignored_before() -> None:
    before = np.array([[[True, False, False]]])
    judged = apply_filter(made(ignore=before), Filter(0.6, ignore_below=True))
    assert judged.verdict == "partly ignored"
    assert judged.pseudo_label is not None
    np.testing.assert_array_equal(judged.pseudo_label.ignore, [[[True, False, True]]])
    assert "label_2 (0.500)" in (judged.reason or "")
    assert not before[0, 0, 2], "the pseudo-label that was judged must not change"


def test_where_no_label_is_left_the_case_is_dropped() -> None:
    judged = apply_filter(made(scores={1: 0.4, 2: 0.5}), Filter(0.6, ignore_below=True))
    assert judged.verdict == "dropped"
    assert "0.500" in (judged.reason or "")


def test_a_score_is_a_share() -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Filter(1.5)
    with pytest.raises(ConfigError, match="outside 0 to 1"):
        made(score=1.1)


def test_outcomes_are_told_apart() -> None:
    assert made().outcome == "labeled"
    assert nothing_found("a", "All masks are empty.").outcome == "nothing"
    assert failure("a", "The file is cut short.").outcome == "failed"
    with pytest.raises(ConfigError, match="neither labels nor a reason"):
        PseudoLabel("a", None)
