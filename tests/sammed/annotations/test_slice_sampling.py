"""Sampling annotated slices, as an annotator would choose them."""

from collections.abc import Sequence

import numpy as np
import pytest

from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import Draw, mark, sample_slices
from sammed.errors import AnnotationError
from sammed_volumes.labels import Label, default_label

LIVER, SPLEEN = default_label(1), default_label(2)


def stack_with(liver: Sequence[int], spleen: Sequence[int] = (), count: int = 40) -> np.ndarray:
    stack = np.zeros((count, 5, 7), dtype=np.uint8)
    stack[list(liver), 1:3, 1:4] = 1
    stack[list(spleen), 3:, 5:] = 2
    return stack


def sampled(
    stack: np.ndarray,
    count: int,
    way: Draw = "even",
    background: int = 2,
    labels: tuple[Label, ...] = (LIVER,),
    seed: int = 0,
) -> Annotations:
    return sample_slices(mark(stack, labels), count, background, way, np.random.default_rng(seed))


def test_slices_show_the_label_and_background_slices_do_not() -> None:
    found = sampled(stack_with(range(10, 30)), 5)
    shown = [index for index in found.indices if 10 <= index < 30]
    assert len(shown) == 5
    assert len(found.indices) == 7
    np.testing.assert_array_equal(found.masks, stack_with(range(10, 30))[list(found.indices)])


def test_the_seed_decides() -> None:
    stack = stack_with(range(5, 35))
    assert sampled(stack, 4, seed=1).indices == sampled(stack, 4, seed=1).indices
    assert len({sampled(stack, 4, seed=seed).indices for seed in range(10)}) > 1


def test_the_papers_sampling_lies_around_the_median() -> None:
    """N(m, s²) with the median and the deviation of the foreground slices, within them."""
    marked, rng = mark(stack_with(range(0, 40)), (LIVER,)), np.random.default_rng(0)
    indices = [sample_slices(marked, 1, 0, "paper", rng).indices[0] for _ in range(1000)]
    assert abs(np.mean(indices) - 19.5) < 1.5
    assert np.std(indices) < np.std(np.arange(40)), "wider than the foreground itself"
    assert np.mean([10 <= index < 30 for index in indices]) > 0.6, "no denser in the middle than at the ends"


def test_even_sampling_takes_one_of_each_part() -> None:
    for seed in range(20):
        found = sampled(stack_with(range(0, 40)), 4, "even", background=0, seed=seed).indices
        assert [index // 10 for index in found] == [0, 1, 2, 3]


@pytest.mark.parametrize("liver", [range(10, 30), range(2, 22), range(15, 39)])
def test_even_sampling_marks_that_the_object_is_over_at_either_end(liver: range) -> None:
    for seed in range(20):
        found = sampled(stack_with(liver), 5, "even", seed=seed).indices
        assert liver.start - 5 <= found[0] < liver.start  # a fifth of 20 or 24 slices
        assert liver.stop <= found[-1] < liver.stop + 5


def test_an_end_without_an_empty_slice_leaves_both_to_the_rest() -> None:
    found = sampled(stack_with(range(20, 40)), 5, "even").indices
    assert len([index for index in found if index < 20]) == 2


@pytest.mark.parametrize("way", ["paper", "even"])
def test_no_more_background_slices_than_were_asked_for(way: Draw) -> None:
    for background in (0, 1, 2, 3):
        found = sampled(stack_with(range(10, 30)), 5, way, background=background).indices
        assert len(found) == 5 + background


def test_even_sampling_covers_the_union_of_the_labels() -> None:
    """Slices that show only one of the labels count as well; each label is in two slices where it can be."""
    stack = stack_with(range(2, 20), range(17, 38))
    for seed in range(20):
        found = sampled(stack, 4, background=0, labels=(LIVER, SPLEEN), seed=seed)
        assert [(index - 2) // 9 for index in found.indices] == [0, 1, 2, 3]
        assert [len(found.showing(label)) >= 2 for label in (LIVER, SPLEEN)] == [True, True]


@pytest.mark.parametrize("spleen", [range(16, 24), range(30, 33), range(39, 40)])
def test_even_sampling_shows_a_small_label_twice(spleen: range) -> None:
    stack = stack_with(range(0, 40), spleen)
    for seed in range(20):
        found = sampled(stack, 5, background=0, labels=(LIVER, SPLEEN), seed=seed)
        assert len(found.indices) == 5
        assert len(found.showing(SPLEEN)) == min(2, len(spleen))


def test_even_sampling_shows_each_label_once_before_any_twice() -> None:
    stack = stack_with(range(0, 30), range(30, 33))
    stack[34:36, 0, 0] = 3
    labels = (LIVER, SPLEEN, default_label(3))
    for seed in range(20):
        found = sampled(stack, 3, background=0, labels=labels, seed=seed)
        assert [len(found.showing(label)) for label in labels] == [1, 1, 1]


def test_the_papers_sampling_takes_slices_that_show_all_labels_first() -> None:
    stack = stack_with(range(5, 35), range(20, 24))
    for seed in range(20):
        found = sampled(stack, 3, "paper", background=0, labels=(LIVER, SPLEEN), seed=seed).indices
        assert set(found) <= set(range(20, 24))


def test_labels_that_never_meet_are_all_shown() -> None:
    stack = stack_with(range(5, 15), range(20, 30))
    for seed in range(20):
        found = sampled(stack, 2, background=0, labels=(LIVER, SPLEEN), seed=seed)
        assert sorted(set(np.unique(found.masks)) - {0}) == [1, 2]
    with pytest.raises(AnnotationError, match="1 slices can't show every label"):
        sampled(stack, 1, labels=(LIVER, SPLEEN))


def test_no_background_where_only_some_slices_were_marked() -> None:
    assert sampled(stack_with([5, 20, 33]), 2).indices in [(5, 20), (5, 33), (20, 33)]


def test_as_many_slices_as_there_are() -> None:
    found = sampled(stack_with([4, 5, 6]), 3)
    assert {4, 5, 6} <= set(found.indices)
    with pytest.raises(AnnotationError, match="4 slices were asked for, but only 3 show label_1"):
        sampled(stack_with([4, 5, 6]), 4)


def test_a_label_that_is_nowhere() -> None:
    with pytest.raises(AnnotationError, match=r"'label_2' \(2\) is empty") as raised:
        mark(stack_with([4]), (LIVER, SPLEEN))
    assert "no slice shows it" in str(raised.value)


def test_taking_slices_leaves_other_labels_out() -> None:
    stack = stack_with([4, 5], [5, 6])
    found = mark(stack, (SPLEEN,)).take([5], [9])
    assert found.indices == (5, 9)
    assert np.unique(found.masks).tolist() == [0, 2]
    assert not found.masks[1].any()


def test_background_slices_of_a_sparse_file_are_those_that_show_other_labels() -> None:
    stack = stack_with([5, 15, 25], [8, 35])
    for seed in range(10):
        found = sampled(stack, 2, background=2, seed=seed)
        assert set(found.indices) - {5, 15, 25} == {8, 35}
        assert not found.masks[[index in (8, 35) for index in found.indices]].any()
    assert set(sampled(stack_with([5, 15, 25]), 2, background=2).indices) < {5, 15, 25}
