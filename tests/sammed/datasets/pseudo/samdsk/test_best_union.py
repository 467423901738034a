"""One class: the greatest soft IoU of a union of proposals."""

import itertools

import numpy as np
import pytest

from sammed.datasets.pseudo.proposals.proposals import pack
from sammed.datasets.pseudo.samdsk.atoms import find_atoms
from sammed.datasets.pseudo.samdsk.best_union import choose
from sammed.datasets.pseudo.samdsk.config import CountLimits, MatchingConfig
from sammed.datasets.pseudo.samdsk.greedy import choose_greedily
from sammed.datasets.pseudo.samdsk.program import build_program, relaxed_excess, solve
from sammed.datasets.pseudo.samdsk.soft_iou import SoftIou, soft_iou

from .conftest import ellipses, soft_iou_of_pixels

HERE = MatchingConfig()


def fraction_of(masks: np.ndarray, probabilities: np.ndarray) -> SoftIou:
    return soft_iou(find_atoms(pack(masks, *masks.shape[1:])), probabilities)


def best_by_force(masks: np.ndarray, probabilities: np.ndarray, limits: CountLimits) -> float:
    return max(
        soft_iou_of_pixels(probabilities, np.logical_or.reduce(masks[list(chosen)]))
        for size in range(limits.lower, min(limits.upper, len(masks)) + 1)
        for chosen in itertools.combinations(range(len(masks)), size)
    )


def test_a_fraction_worked_out_by_hand() -> None:
    # p = 0.9 0.8 0.3 0.0; the union covers the first three pixels: 2.0 / (2.0 + 3 - 2.0)
    masks = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]]], dtype=bool)
    fraction = fraction_of(masks, np.array([[0.9, 0.8, 0.3, 0.0]]))
    assert fraction.of((0, 1)) == pytest.approx(2.0 / 3.0)
    assert fraction.of((0,)) == pytest.approx(1.7 / 2.3)
    assert fraction.of(()) == 0.0


def test_a_binary_map_gives_the_iou_of_two_masks(rng: np.random.Generator) -> None:
    masks = ellipses(rng, (15, 15), 6)
    truth = masks[0] & ~masks[3]
    fraction = fraction_of(masks, truth.astype(float))
    union = masks[1] | masks[2]
    assert fraction.of((1, 2)) == pytest.approx((union & truth).sum() / (union | truth).sum())


def test_nothing_matches_nothing() -> None:
    fraction = fraction_of(np.ones((1, 3, 3), dtype=bool), np.zeros((3, 3)))
    chosen = choose(fraction, CountLimits(0, 2), np.array([True]), HERE)
    assert chosen is not None
    assert (chosen.chosen, chosen.score) == ((), 1.0)


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_is_that_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = ellipses(rng, (14, 14), 7)
    probabilities = rng.uniform(0, 1, (14, 14)) ** rng.uniform(0.3, 4)
    lower = int(rng.integers(0, 4))
    limits = CountLimits(lower, int(rng.integers(max(1, lower), 8)))
    choice = choose(fraction_of(masks, probabilities), limits, np.ones(7, dtype=bool), HERE)
    assert choice is not None
    assert limits.lower <= len(choice.chosen) <= limits.upper
    assert choice.score == pytest.approx(best_by_force(masks, probabilities, limits), abs=1e-9)
    assert choice.score == pytest.approx(
        soft_iou_of_pixels(probabilities, np.logical_or.reduce(masks[list(choice.chosen)]))
    )
    assert choice.is_exact


def test_the_greedy_choice_is_beaten() -> None:
    # A bar of six: its middle four match best alone, but its two halves together match it wholly.
    masks = np.zeros((3, 1, 10), dtype=bool)
    masks[0, 0, 3:7] = True
    masks[1, 0, 2:5] = True
    masks[2, 0, 5:8] = True
    bar = np.zeros((1, 10))
    bar[0, 2:8] = 1.0
    fraction, limits, all_three = fraction_of(masks, bar), CountLimits(1, 2), np.ones(3, dtype=bool)
    greedy = choose_greedily(fraction, limits, all_three)
    assert greedy is not None
    assert fraction.of(greedy) < 1.0
    choice = choose(fraction, limits, all_three, HERE)
    assert choice is not None
    assert (choice.chosen, choice.score) == ((1, 2), 1.0)


def test_a_large_problem_gets_the_greedy_choice_and_a_bound_that_holds(rng: np.random.Generator) -> None:
    masks = ellipses(rng, (24, 24), 9)
    probabilities = rng.uniform(0, 1, (24, 24))
    fraction, limits = fraction_of(masks, probabilities), CountLimits(1, 4)
    everything = np.ones(9, dtype=bool)
    exact = choose(fraction, limits, everything, HERE)
    rough = choose(fraction, limits, everything, MatchingConfig(most_terms=1))
    assert exact is not None
    assert rough is not None
    assert rough.chosen == choose_greedily(fraction, limits, everything)
    assert rough.score <= exact.score <= rough.bound < 1.0


def test_leaving_proposals_out_of_the_program_loses_no_better_choice(rng: np.random.Generator) -> None:
    masks = ellipses(rng, (30, 30), 12, least=0.05)
    probabilities = (masks[0] | masks[1]) * 0.9
    fraction, limits = fraction_of(masks, probabilities), CountLimits(1, 3)
    worse = fraction.of((0,)) * 0.9
    program = build_program(fraction, worse, limits, np.ones(12, dtype=bool))
    assert len(program.proposals) < 12
    step = solve(program, 1000)
    assert step.chosen is not None
    assert fraction.of(step.chosen) > worse
    assert step.excess <= relaxed_excess(program) + 1e-9


def test_only_allowed_proposals_are_chosen(rng: np.random.Generator) -> None:
    masks = ellipses(rng, (16, 16), 6)
    fraction = fraction_of(masks, rng.uniform(0, 1, (16, 16)))
    allowed = np.array([True, False, True, False, True, False])
    choice = choose(fraction, CountLimits(2, 3), allowed, HERE)
    assert choice is not None
    assert set(choice.chosen) <= {0, 2, 4}
    assert choose(fraction, CountLimits(4, 5), allowed, HERE) is None
