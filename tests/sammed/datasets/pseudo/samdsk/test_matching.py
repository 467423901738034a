"""All classes together: equations 1 to 4."""

import numpy as np
import pytest
from scipy import ndimage

from sammed.datasets.pseudo.proposals.proposals import pack
from sammed.datasets.pseudo.samdsk.atoms import Atoms, find_atoms
from sammed.datasets.pseudo.samdsk.config import CountLimits, MatchingConfig
from sammed.datasets.pseudo.samdsk.matching import match
from sammed.errors import ConfigError

from .conftest import ellipses, every_assignment

SHAPE = (12, 12)


def atoms_of(masks: np.ndarray) -> Atoms:
    return find_atoms(pack(masks, *masks.shape[1:]))


def test_beta_is_the_mean_over_classes() -> None:
    masks = np.zeros((2, 2, 4), dtype=bool)
    masks[0, 0] = True
    masks[1, 1, :2] = True
    maps = np.zeros((2, 2, 4))
    maps[0, 0] = 0.5  # matched by the first row: 2 / (2 + 4 - 2)
    maps[1, 1, :2] = 1.0  # matched wholly
    found = match(atoms_of(masks), maps, [CountLimits(1, 1)] * 2)
    assert found is not None
    assert found.chosen == ((0,), (1,))
    assert found.scores == (0.5, 1.0)
    assert found.beta == 0.75


def test_a_proposal_serves_one_class_alone() -> None:
    """Both classes want the first proposal; the sum decides which of them has to take another."""
    masks = np.zeros((2, 1, 10), dtype=bool)
    masks[0, 0, :6] = True
    masks[1, 0, :4] = True
    maps = np.zeros((2, 1, 10))
    maps[0, 0, :6] = 1.0
    maps[1, 0, :5] = 0.5
    limits = [CountLimits(1, 1)] * 2
    found = match(atoms_of(masks), maps, limits)
    assert found is not None
    assert found.chosen == ((0,), (1,))
    swapped = match(atoms_of(masks), maps[::-1], limits)
    assert swapped is not None
    assert swapped.chosen == ((1,), (0,))


@pytest.mark.parametrize("seed", range(45))
def test_the_matching_is_that_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proposals, classes = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    masks = ellipses(rng, SHAPE, proposals)
    maps = rng.uniform(0, 1, (classes, *SHAPE))
    if seed % 3 == 0:  # every class wants the same
        maps[:] = ndimage.gaussian_filter(masks[0].astype(float), 1) / classes
    limits = [CountLimits(int(low), int(rng.integers(low, 4))) for low in rng.integers(0, 3, classes)]
    known = list(every_assignment(masks, maps, limits))
    found = match(atoms_of(masks), maps, limits)
    if not known:
        assert found is None
        return
    assert found is not None
    assert found.beta == pytest.approx(max(known)[0], abs=1e-9)
    assert found.is_exact
    flat = [index for chosen in found.chosen for index in chosen]
    assert len(flat) == len(set(flat)), "equation 2: a proposal has one class"
    assert all(each.lower <= len(c) <= each.upper for c, each in zip(found.chosen, limits, strict=True))


def test_cut_short_it_still_bounds_the_best(rng: np.random.Generator) -> None:
    masks = ellipses(rng, SHAPE, 6, least=0.2)
    maps = np.stack([ndimage.gaussian_filter(masks[:2].any(axis=0).astype(float), 1) * 0.45] * 2)
    limits = [CountLimits(1, 2)] * 2
    best = max(every_assignment(masks, maps, limits))[0]
    short = match(atoms_of(masks), maps, limits, MatchingConfig(most_branches=1, most_terms=1))
    assert short is not None
    assert short.beta <= best <= short.bound


def test_what_is_not_worth_it_is_not_searched(rng: np.random.Generator) -> None:
    masks = ellipses(rng, SHAPE, 6, least=0.2)
    maps = np.stack([masks[:2].any(axis=0) * 0.45] * 2)
    limits = [CountLimits(1, 2)] * 2
    best, quick = match(atoms_of(masks), maps, limits), match(atoms_of(masks), maps, limits, worth=0.9)
    assert best is not None
    assert quick is not None
    assert quick.beta <= best.beta <= quick.bound <= 0.9


def test_without_proposals_there_is_no_matching() -> None:
    nothing = find_atoms(pack([], 3, 3))
    maps = np.full((1, 3, 3), 0.7)
    assert match(nothing, maps, [CountLimits(1, 2)]) is None
    allowed = match(nothing, maps, [CountLimits(0, 2)])
    assert allowed is not None
    assert (allowed.chosen, allowed.beta) == (((),), 0.0)


def test_each_class_needs_its_limits() -> None:
    with pytest.raises(ConfigError, match="2 probability maps need as many count limits, not 1"):
        match(find_atoms(pack([], 3, 3)), np.zeros((2, 3, 3)), [CountLimits()])


@pytest.mark.parametrize(("lower", "upper"), [(-1, 2), (2, 1)])
def test_impossible_count_limits(lower: int, upper: int) -> None:
    with pytest.raises(ConfigError, match="the first must be 0 or more"):
        CountLimits(lower, upper)
