"""What tells labels from the gray values of an image: labels come in pieces, or there are few of them."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from sammed_volumes.errors import LabelError
from sammed_volumes.label_likeness import check_are_labels, is_like_labels
from sammed_volumes.labels import LabelVolume, complete_labels
from tests.conftest import Phantom

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(24, 30, 16))


def mri(levels: int) -> np.ndarray:
    """A smooth image in whole numbers, with a background of zeros in one large piece."""
    made = ndimage.gaussian_filter(NOISE, 2)
    made = (made - made.min()) / np.ptp(made) * levels
    made[:8] = 0
    voxels: np.ndarray = made.round().astype(np.int16)
    return voxels


def parcels(side: int) -> np.ndarray:
    """Cubes of `side` voxels, each with a value of its own."""
    x, y, z = (np.arange(length) // side for length in NOISE.shape)
    return (1 + x[:, None, None] + 100 * y[:, None] + 10_000 * z).astype(np.uint32)


def points() -> np.ndarray:
    made = np.zeros(NOISE.shape, np.uint8)
    made[::4, ::5, ::4] = np.arange(6 * 6 * 4).reshape(6, 6, 4) + 1
    return made


@pytest.mark.parametrize("levels", [60, 255, 900, 4000])
def test_an_image_is_no_label_volume_however_few_levels_it_has(levels: int) -> None:
    assert not is_like_labels(mri(levels))
    assert not is_like_labels(mri(levels)[:, :, 5:6]), "a slice of it"


@pytest.mark.parametrize(
    "voxels",
    [
        pytest.param(parcels(4), id="many parcels"),
        pytest.param(points(), id="landmarks of one voxel"),
        pytest.param((NOISE > 1).astype(np.uint8), id="a mask of scattered voxels"),
        pytest.param(np.zeros((3, 4, 5), np.uint8), id="nothing"),
        pytest.param(np.full((1, 1, 1), 700, np.uint16), id="one voxel"),
    ],
)
def test_labels_are_labels_however_many_there_are(voxels: np.ndarray) -> None:
    assert is_like_labels(voxels)


def test_the_error_says_what_to_give(phantom: Callable[..., Phantom]) -> None:
    check_are_labels(phantom().labels)
    voxels = mri(900).astype(np.uint16)
    with pytest.raises(LabelError, match=r"looks like an image, not like labels: it has \d+ values, and"):
        check_are_labels(LabelVolume(voxels, np.eye(4), complete_labels(voxels, ())))
