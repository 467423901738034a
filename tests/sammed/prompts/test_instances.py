"""Components of a mask."""

import numpy as np

from sammed.prompts.instances import instances


def test_components_come_largest_first_and_make_up_the_mask() -> None:
    mask = np.zeros((9, 12), dtype=bool)
    mask[1, 1:3] = True
    mask[4:8, 4:9] = True
    found = instances(mask)
    assert [part.sum() for part in found] == [20, 2]
    np.testing.assert_array_equal(np.sum(found, axis=0), mask)


def test_pixels_that_touch_at_a_corner_belong_together() -> None:
    assert len(instances(np.eye(4, dtype=bool))) == 1


def test_specks_are_left_out() -> None:
    mask = np.zeros((9, 12), dtype=bool)
    mask[1, 1:3] = True
    mask[4:8, 4:9] = True
    assert [part.sum() for part in instances(mask, least_pixels=3)] == [20]


def test_the_largest_stays_where_all_are_specks() -> None:
    mask = np.zeros((9, 12), dtype=bool)
    mask[1, 1:3] = mask[6, 6] = True
    assert [part.sum() for part in instances(mask, least_pixels=5)] == [2]


def test_an_empty_mask_has_no_instance() -> None:
    assert instances(np.zeros((3, 3), dtype=bool)) == []
