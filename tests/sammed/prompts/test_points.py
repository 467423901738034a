"""The three sampling schemes, in an object and in the background around it."""

from typing import cast

import numpy as np
import pytest
from scipy import ndimage

from sammed.errors import ConfigError, PromptError
from sammed.prompts.points import SCHEMES, Scheme, candidates, sample_candidates, sample_points


def disc(
    height: int = 61, width: int = 53, center: tuple[int, int] = (30, 25), radius: int = 17
) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside: np.ndarray = (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2
    return inside


def depths(region: np.ndarray, points_xy: np.ndarray) -> np.ndarray:
    """Distance of each point to the region's boundary."""
    x, y = points_xy.astype(int).T
    found: np.ndarray = ndimage.distance_transform_edt(region)[y, x]
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("outside", [False, True], ids=["object", "background"])
def test_points_lie_in_the_region_and_no_pixel_comes_twice(scheme: Scheme, outside: bool) -> None:
    region = disc() ^ outside
    points = sample_points(region, 15, scheme, np.random.default_rng(0))
    assert points.shape == (15, 2)
    x, y = points.astype(int).T
    assert region[y, x].all()
    assert len(np.unique(points, axis=0)) == 15


@pytest.mark.parametrize("outside", [False, True], ids=["object", "background"])
def test_center_is_deeper_than_uniform_and_boundary_shallower(outside: bool) -> None:
    region = disc() ^ outside
    rng = np.random.default_rng(1)
    mean_depth = {scheme: depths(region, sample_points(region, 60, scheme, rng)).mean() for scheme in SCHEMES}
    assert mean_depth["boundary"] < 0.5 * mean_depth["uniform"]
    assert mean_depth["center"] > 1.3 * mean_depth["uniform"]


def test_every_central_point_is_deeper_than_every_boundary_point() -> None:
    region = disc()
    central, shallow = candidates(region, "center"), candidates(region, "boundary")
    assert depths(region, central).min() > depths(region, shallow).max()


def test_boundary_points_of_the_background_lie_around_the_object_and_not_at_the_slices_edge() -> None:
    region = ~disc()
    assert depths(region, candidates(region, "boundary")).max() <= 4


def test_uniform_takes_every_pixel_with_the_same_probability() -> None:
    region = np.zeros((5, 7), dtype=bool)
    region[1:3, 2:5] = True
    rng = np.random.default_rng(2)
    sampled = np.concatenate([sample_points(region, 1, "uniform", rng) for _ in range(1200)])
    _, counts = np.unique(sampled, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.abs(counts - 200).max() < 60  # more than four deviations


def test_the_seed_decides() -> None:
    first, again, other = (
        sample_points(disc(), 9, "uniform", np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_region_smaller_than_the_count_gives_pixels_twice() -> None:
    region = np.zeros((4, 4), dtype=bool)
    region[1, 2] = True
    assert (sample_points(region, 3, "boundary", np.random.default_rng(0)) == [2, 1]).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_region_without_boundary_is_sampled_all_over(scheme: Scheme) -> None:
    assert len(candidates(np.ones((3, 5), dtype=bool), scheme)) == 15


def test_an_empty_region_is_an_error_unless_nothing_is_asked() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(PromptError, match="empty region"):
        sample_points(np.zeros((3, 3), dtype=bool), 1, "uniform", rng)
    assert sample_candidates(np.zeros((0, 2)), 0, rng).shape == (0, 2)


def test_an_unknown_scheme_is_rejected() -> None:
    with pytest.raises(ConfigError, match="uniform, center, boundary"):
        sample_points(disc(), 1, cast(Scheme, "middle"), np.random.default_rng(0))
