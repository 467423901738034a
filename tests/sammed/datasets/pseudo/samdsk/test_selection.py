"""One picture: its annotation, its score, and whether it is selected."""

from typing import Any

import numpy as np
import pytest

from sammed.datasets.pseudo.proposals.proposals import pack
from sammed.datasets.pseudo.samdsk.config import CountLimits, SamDskConfig, SamDskStudent, parse_counts
from sammed.datasets.pseudo.samdsk.selection import (
    Annotation,
    annotate_by_matching,
    annotate_by_student,
    is_selected,
    likeliest,
)
from sammed.errors import ConfigError

CONFIG = SamDskConfig()
ONE = CountLimits(1, 1)


def bars(*spans: tuple[int, int], length: int = 12) -> np.ndarray:
    """Masks n 1 length, each a bar from its first column to before its last."""
    masks = np.zeros((len(spans), 1, length), dtype=bool)
    for mask, (first, last) in zip(masks, spans, strict=True):
        mask[0, first:last] = True
    return masks


def annotate(
    masks: np.ndarray, maps: np.ndarray, values: Any, limits: Any, config: Any = CONFIG
) -> Annotation:
    return annotate_by_matching(pack(masks, *masks.shape[1:]), maps, values, limits, config)


def test_the_annotation_is_the_union_and_what_is_left_is_background() -> None:
    """Equation 4 and q_c, worked out by hand: two halves of an object of eight pixels."""
    masks = bars((0, 4), (4, 8), (6, 12))
    maps = bars((0, 8)) * 0.95
    found = annotate(masks, maps, [3], [CountLimits(1, 2)])
    assert found.labels is not None
    assert found.labels.tolist() == [[3] * 8 + [0] * 4]
    assert found.score == pytest.approx(0.95)
    assert found.label_scores == (found.score,)
    assert is_selected(found, CONFIG)


def test_one_proposal_where_two_are_needed_scores_too_low() -> None:
    found = annotate(bars((0, 4), (4, 8)), bars((0, 8)) * 0.95, [3], [ONE])
    assert found.score == pytest.approx(4 * 0.95 / (8 * 0.95 + 4 * 0.05))
    assert not is_selected(found, CONFIG)


def test_a_pixel_that_two_labels_cover_goes_to_the_likelier() -> None:
    masks, maps = bars((0, 6), (4, 10)), np.zeros((2, 1, 12))
    maps[0, 0, :5] = 0.9
    maps[1, 0, 5:10] = 0.9
    maps[1, 0, 4] = 0.2
    found = annotate(masks, maps, [1, 2], [ONE, ONE])
    assert found.labels is not None
    assert found.labels.tolist() == [[1] * 5 + [2] * 5 + [0] * 2]


def test_a_score_at_the_threshold_is_not_above_it() -> None:
    labels = np.ones((1, 2), dtype=np.uint8)
    assert not is_selected(Annotation(labels, 0.9, (0.9,)), CONFIG)
    assert is_selected(Annotation(labels, 0.9001, (0.9001,)), CONFIG)
    assert is_selected(Annotation(labels, 0.1, (0.1,)), SamDskConfig(selection="all"))


def test_a_label_that_may_be_absent_and_is_not_seen_counts_as_matched() -> None:
    masks, maps = bars((0, 8)), np.concatenate([bars((0, 8)) * 1.0, bars((9, 12)) * 0.1])
    absent = annotate(masks, maps, [1, 2], [ONE, CountLimits(0, 1)])
    assert absent.label_scores == (1.0, 1.0)
    assert is_selected(absent, CONFIG)
    needed = annotate(masks, maps, [1, 2], [ONE, ONE])
    assert (needed.labels, needed.reason) == (None, "2 proposals are needed, but it has 1")


def test_why_there_is_no_annotation() -> None:
    assert (
        annotate(bars((0, 3)), np.full((1, 1, 12), 0.3), [1], [ONE]).reason
        == "the student finds no label in it"
    )
    nothing = annotate(np.zeros((0, 1, 12), dtype=bool), np.ones((1, 1, 12)), [1], [ONE])
    assert nothing.reason == "the backbone proposes no mask in it"
    assert not is_selected(nothing, SamDskConfig(selection="all"))


def test_the_students_own_label_and_confidence() -> None:
    probabilities = np.array([[[0.1, 0.3, 0.9, 0.6]], [[0.8, 0.6, 0.05, 0.3]], [[0.1, 0.1, 0.05, 0.1]]])
    found = annotate_by_student(probabilities, [2, 7])
    assert found.labels is not None
    assert found.labels.tolist() == [[2, 2, 0, 0]]
    assert found.score == pytest.approx(0.7)
    first, second = found.label_scores
    assert first == pytest.approx(0.7)
    assert second is None


def test_hard_maps_are_those_of_the_likeliest_class() -> None:
    hard = likeliest(np.array([[[0.5, 0.2, 0.4]], [[0.3, 0.7, 0.3]], [[0.2, 0.1, 0.3]]]))
    assert hard.tolist() == [[[1, 0, 1]], [[0, 1, 0]], [[0, 0, 0]]]


def test_confidence_never_selects_a_picture_without_a_label() -> None:
    empty = annotate_by_student(np.array([[[0.99, 0.99]], [[0.01, 0.01]]]), [1])
    assert empty.score == pytest.approx(0.99)
    assert not is_selected(empty, SamDskConfig(selection="confidence"))
    assert is_selected(empty, SamDskConfig(selection="all"))


def test_limits_by_round_and_label() -> None:
    config = SamDskConfig(counts=("1-1/1-2/1-3", "2:0-1"))
    assert [config.limits(1, number).upper for number in range(5)] == [1, 2, 3, 3, 3]
    assert config.limits(2, 4) == CountLimits(0, 1)
    assert [config.changes_after(number) for number in range(4)] == [True, True, False, False]
    config.check_labels([1, 2])
    with pytest.raises(ConfigError, match=r"label 2, which the set does not list \(it lists 1, 3\)"):
        config.check_labels([1, 3])


@pytest.mark.parametrize("text", ["", "1", "a-b", "1-2-3", "x:1-2", "1-1/"])
def test_counts_that_can_not_be_read(text: str) -> None:
    with pytest.raises(ConfigError, match="are not counts; give lower-upper"):
        parse_counts(text)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"selection": "best"}, "one of samdsk, all, confidence"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"most_rounds": 0}, "most_rounds is 0"),
        ({"weight": -1.0}, "weight -1.0"),
        ({"counts": ("1-1", "1-2")}, "a label occurs twice"),
        ({"counts": ("2-1",)}, "The limits 2-1 are invalid"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        SamDskConfig(**settings)


def test_a_student_of_volumes_is_refused() -> None:
    with pytest.raises(ConfigError, match="picture by picture"):
        SamDskConfig(student=SamDskStudent(network="dynunet"))


def test_the_numbers_of_the_paper() -> None:
    assert (CONFIG.threshold, CONFIG.weight, CONFIG.selection) == (0.9, 1.0, "samdsk")
    assert [CONFIG.limits(1, number) for number in range(3)] == [CountLimits(1, upper) for upper in (1, 2, 3)]
