"""The best union of proposals for one class: Dinkelbach's iterations on the soft IoU (SamDSK, equation 3).

Dinkelbach: with λ the IoU of the current choice, the choice that maximizes numerator - λ x denominator is
better, until that maximum is 0; then λ is the greatest possible IoU. Each step is exact (`program.solve`). A
program that is too large is not solved: the greedy choice remains, and its relaxation bounds the greatest
IoU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sammed.datasets.pseudo.samdsk.config import CountLimits, MatchingConfig
from sammed.datasets.pseudo.samdsk.greedy import choose_greedily
from sammed.datasets.pseudo.samdsk.program import build_program, relaxed_excess, solve
from sammed.datasets.pseudo.samdsk.soft_iou import SoftIou

TOLERANCE = 1e-6
"""Below this difference an IoU equals its bound."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Proposals for one class (indices in ascending order), their IoU, and its upper bound."""

    chosen: tuple[int, ...]
    score: float
    bound: float

    @property
    def is_exact(self) -> bool:
        """Whether no choice is better."""
        return self.bound - self.score <= TOLERANCE


def choose(
    fraction: SoftIou, limits: CountLimits, allowed: Bool[np.ndarray, " K"], config: MatchingConfig
) -> Choice | None:
    """Return the choice with the greatest IoU among the allowed proposals; None where too few are allowed."""
    start = choose_greedily(fraction, limits, allowed)
    if start is None:
        return None
    score = fraction.of(start)
    # At most one proposal: the greedy choice tried all. An empty map: every union has the same score.
    if limits.upper <= 1 or fraction.total <= 0:
        return Choice(start, score, score)
    return _improve(fraction, limits, allowed, config, start)


def _improve(
    fraction: SoftIou,
    limits: CountLimits,
    allowed: Bool[np.ndarray, " K"],
    config: MatchingConfig,
    chosen: tuple[int, ...],
) -> Choice:
    while True:
        ratio = fraction.of(chosen)
        program = build_program(fraction, ratio, limits, allowed)
        if program.terms > config.most_terms:
            return Choice(chosen, ratio, _bound(ratio, relaxed_excess(program)))
        step = solve(program, config.most_nodes)
        if step.chosen is None or fraction.of(step.chosen) <= ratio:
            return Choice(chosen, ratio, _bound(ratio, step.excess))
        chosen = tuple(sorted(step.chosen))


def _bound(ratio: float, excess: float) -> float:
    """Return a bound of the IoU where numerator - ratio x denominator never exceeds `excess` x P.

    The denominator is at least P, so numerator / denominator <= ratio + excess.
    """
    return min(1.0, ratio + excess)
