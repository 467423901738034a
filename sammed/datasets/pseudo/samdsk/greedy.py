"""The greedy choice: the proposal that raises the IoU most, then the next, while there are gains."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from sammed.datasets.pseudo.samdsk.config import CountLimits
from sammed.datasets.pseudo.samdsk.soft_iou import SoftIou


def choose_greedily(
    fraction: SoftIou, limits: CountLimits, allowed: Bool[np.ndarray, " K"]
) -> tuple[int, ...] | None:
    """Return indices in ascending order, within the limits; None where too few are allowed.

    With an upper limit of 1 this choice is optimal.
    """
    most = min(limits.upper, int(np.count_nonzero(allowed)))
    if most < limits.lower:
        return None
    chosen: list[int] = []
    covered = np.zeros(fraction.membership.shape[1], dtype=bool)
    while len(chosen) < most:
        scores = _scores_with_one_more(fraction, covered)
        scores[~allowed] = -np.inf
        scores[chosen] = -np.inf
        best = int(scores.argmax())
        if len(chosen) >= limits.lower and scores[best] <= fraction.of_atoms(covered):
            break
        chosen.append(best)
        covered |= fraction.membership[best]
    return tuple(sorted(chosen))


def _scores_with_one_more(fraction: SoftIou, covered: Bool[np.ndarray, " A"]) -> Float[np.ndarray, " K"]:
    new = fraction.membership & ~covered  # K A
    mass, outside = fraction.mass, fraction.area - fraction.mass
    both = new @ mass + mass @ covered
    either = fraction.total + new @ outside + outside @ covered
    scores: Float[np.ndarray, " K"] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return scores
