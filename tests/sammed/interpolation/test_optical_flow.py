"""Optical flow finds motion that is known, and warping stays inside the slice."""

import numpy as np
import pytest
from scipy import ndimage

from sammed.interpolation.optical_flow import NeighborFlow, compose, warp

HEIGHT, WIDTH = 97, 83


def texture(seed: int = 0) -> np.ndarray:
    """Smooth noise 0..1 that the flow can follow."""
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH))
    smooth = ndimage.gaussian_filter(noise, 3)
    scaled: np.ndarray = (smooth - smooth.min()) / np.ptp(smooth)
    return scaled.astype(np.float32)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (2, 0), (0, -3), (1.5, 2.5)])
def test_a_known_shift_comes_back_within_half_a_pixel(dx: float, dy: float) -> None:
    first = texture()
    second = ndimage.shift(first, (dy, dx), order=1, mode="nearest").astype(np.float32)
    flow = NeighborFlow(np.stack([first, second])).step(0, 1)
    inner = flow[15:-15, 15:-15]
    assert np.abs(inner - np.array([dx, dy])).mean() < 0.5


def test_known_growth_comes_back_within_half_a_pixel() -> None:
    first = texture(1)
    center = np.array([HEIGHT / 2, WIDTH / 2])
    second = ndimage.affine_transform(
        first, np.eye(2) / 1.05, offset=center - center / 1.05, order=1, mode="nearest"
    ).astype(np.float32)
    flow = NeighborFlow(np.stack([first, second])).step(0, 1)
    rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    expected = np.stack([(columns - WIDTH / 2) * 0.05, (rows - HEIGHT / 2) * 0.05], axis=-1)
    assert np.abs(flow - expected)[15:-15, 15:-15].mean() < 0.5


def test_slices_without_structure_do_not_move() -> None:
    flat = np.full((2, HEIGHT, WIDTH), 0.5, dtype=np.float32)
    assert np.abs(NeighborFlow(flat).step(0, 1)).max() < 0.1


def test_composed_steps_are_the_way_of_both() -> None:
    step = np.full((HEIGHT, WIDTH, 2), (2.0, -1.0), dtype=np.float32)
    onward = np.full((HEIGHT, WIDTH, 2), (0.5, 3.0), dtype=np.float32)
    np.testing.assert_allclose(compose(step, onward), np.full((HEIGHT, WIDTH, 2), (2.5, 2.0)))


def test_warping_by_nothing_changes_nothing_and_never_leaves_the_slice() -> None:
    values = texture(2)
    nothing = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    np.testing.assert_allclose(warp(values, nothing), values, atol=1e-6)
    far = np.full((HEIGHT, WIDTH, 2), 1000.0, dtype=np.float32)
    np.testing.assert_allclose(warp(values, far), values[-1, -1])


def test_the_same_slices_give_the_same_flow() -> None:
    images = np.stack([texture(3), texture(4)])
    np.testing.assert_array_equal(NeighborFlow(images).step(0, 1), NeighborFlow(images).step(0, 1))
