"""The top-K components, counted in 3-D."""

import numpy as np

from sammed.auto.components import largest_components


def three_pieces() -> np.ndarray:
    """Pieces of 12, 8 and 2 voxels; the largest is in two bits on every slice but one."""
    mask = np.zeros((4, 9, 9), dtype=bool)
    mask[:, 0, 0] = mask[:, 0, 4] = True  # 8, joined below
    mask[3, 0, 1:4] = True
    mask[3, 1, 4] = True  # 12 in all
    mask[0:2, 6:8, 6:8] = True  # 8
    mask[3, 8, 0:2] = True  # 2
    return mask


def test_the_largest_are_kept() -> None:
    mask = three_pieces()
    sizes = [int(largest_components(mask, count).sum()) for count in (1, 2, 3)]
    assert sizes == [12, 20, 22]


def test_what_joins_on_another_slice_is_one_component() -> None:
    kept = largest_components(three_pieces(), 1)
    assert kept[0].sum() == 2  # apart on this slice
    assert kept[:, 6:].sum() == 0


def test_voxels_that_touch_at_a_corner_are_joined() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    assert largest_components(mask, 1).sum() == 3


def test_fewer_than_asked_for_and_none_at_all_stay_as_they_are() -> None:
    mask = three_pieces()
    np.testing.assert_array_equal(largest_components(mask, 7), mask)
    assert not largest_components(np.zeros((2, 3, 3), dtype=bool), 1).any()


def test_the_argument_is_not_written_to() -> None:
    mask = three_pieces()
    largest_components(mask, 1)
    assert mask.sum() == 22
