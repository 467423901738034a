"""Affines: spacing, RAS and LPS, and the distance of two grids."""

import numpy as np
import pytest

from sammed_volumes.affine import apply_affine, corner_distance_voxels, spacing_mm, swap_ras_lps


def test_spacing_is_the_length_of_the_columns() -> None:
    turned = np.array([[0, 0.6, 0, 1], [0.8, 0, 0, 2], [0, 0.8, 3, 3], [0, 0, 0, 1.0]])
    assert spacing_mm(turned) == pytest.approx((0.8, 1.0, 3.0))


def test_ras_to_lps_and_back() -> None:
    affine = np.random.default_rng(0).normal(size=(4, 4))
    np.testing.assert_array_equal(swap_ras_lps(swap_ras_lps(affine)), affine)
    np.testing.assert_array_equal(swap_ras_lps(affine)[:2], -affine[:2])


def test_points_are_mapped_like_columns() -> None:
    affine, point = np.arange(16.0).reshape(4, 4), np.array([2.0, 3.0, 5.0])
    np.testing.assert_allclose(apply_affine(affine, point), (affine @ [2, 3, 5, 1])[:3])


def test_the_farthest_corner_counts() -> None:
    """A spacing that is off by 1 percent moves the last of 11 voxels by a tenth of a voxel."""
    first, second = np.diag([2.0, 2.0, 2.0, 1.0]), np.diag([2.02, 2.0, 2.0, 1.0])
    assert corner_distance_voxels((11, 3, 3), first, second) == pytest.approx(0.1)
