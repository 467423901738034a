import numpy as np
import pytest

from sammed.datasets.pseudo.proposals.proposals import Proposals, pack
from sammed.datasets.pseudo.samdsk.atoms import find_atoms
from sammed.errors import ConfigError

from .conftest import ellipses


def test_packed_masks_come_back_and_unite(rng: np.random.Generator) -> None:
    masks = ellipses(rng, (13, 7), 5)  # 91 pixels: no whole number of bytes
    proposals = pack(masks, 13, 7)
    assert proposals.count == 5
    for index, mask in enumerate(masks):
        assert np.array_equal(proposals.mask(index), mask)
    assert np.array_equal(proposals.union([0, 3]), masks[0] | masks[3])
    assert not proposals.union([]).any()


def test_two_overlapping_bars_have_three_atoms() -> None:
    masks = np.zeros((2, 1, 6), dtype=bool)
    masks[0, 0, :4] = True
    masks[1, 0, 2:5] = True
    atoms = find_atoms(pack(masks, 1, 6))
    found = {tuple(row): size for row, size in zip(atoms.membership.T.tolist(), atoms.area, strict=True)}
    assert found == {(True, False): 2, (True, True): 2, (False, True): 1}
    assert atoms.of_pixel[-1] == 3, "the last pixel lies in no proposal"


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40])
def test_sums_over_atoms_are_sums_over_pixels(rng: np.random.Generator, count: int) -> None:
    masks = ellipses(rng, (20, 17), count)
    probabilities = rng.uniform(0, 1, (20, 17))
    atoms = find_atoms(pack(masks, 20, 17))
    assert np.array_equal(atoms.membership @ atoms.area, masks.sum(axis=(1, 2)))
    expected = (masks * probabilities).sum(axis=(1, 2))
    assert np.allclose(atoms.membership @ atoms.mass(probabilities), expected)
    assert len(np.unique(atoms.membership, axis=1).T) == atoms.membership.shape[1], "an atom comes twice"


def test_no_proposals_have_no_atoms() -> None:
    atoms = find_atoms(pack([], 4, 5))
    assert atoms.membership.shape == (0, 0)
    assert atoms.mass(np.ones((4, 5))).shape == (0,)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(ConfigError, match="take 3 bytes"):
        Proposals(np.zeros((2, 5), dtype=np.uint8), 4, 5)
