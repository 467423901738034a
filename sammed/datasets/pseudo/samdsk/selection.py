"""The result of a round for one picture: its annotation and score (SamDSK 3.4, equation 4), or a reason.

SamDSK's annotation is the union of the matched proposals, and its score is β. The baselines' annotation is
the student's likeliest label, and their score the student's own confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt

from sammed.datasets.pseudo.proposals.proposals import Proposals
from sammed.datasets.pseudo.samdsk.atoms import find_atoms
from sammed.datasets.pseudo.samdsk.config import CountLimits, SamDskConfig
from sammed.datasets.pseudo.samdsk.matching import Matching, match
from sammed_volumes.labels import smallest_unsigned

SHOWN = 0.5
"""A label whose probability is below this everywhere is absent according to the student."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Labels of one picture (values, 0 the background), or None and the reason.

    `score` and `label_scores` (in the order of the labels, None for one that a baseline does not find) are
    0..1. `is_exact` is False where the matching may not be optimal.
    """

    labels: UInt[np.ndarray, "H W"] | None
    score: float = 0.0
    label_scores: tuple[float | None, ...] = ()
    reason: str | None = None
    is_exact: bool = True


def annotate_by_matching(
    proposals: Proposals,
    maps: Float[np.ndarray, "C H W"],
    values: Sequence[int],
    limits: Sequence[CountLimits],
    config: SamDskConfig,
) -> Annotation:
    """Match the labels' probability maps with the proposals (equations 1 to 4).

    A label that may be absent (v_lower of 0) and that the student does not see gets an empty map: no proposal
    matches it, with an IoU of 1. Equation 1 would score such a picture 0 for every choice.
    """
    shown = maps.reshape(len(maps), -1).max(axis=1) >= SHOWN
    if not shown.any():
        return Annotation(None, reason="the student finds no label in it")
    if not proposals.count:
        return Annotation(None, reason="the backbone proposes no mask in it")
    absent = ~shown & np.array([each.lower == 0 for each in limits])
    counted = np.where(absent[:, None, None], 0.0, maps)
    counts = [CountLimits(0, 0) if none else each for none, each in zip(absent, limits, strict=True)]
    found = match(find_atoms(proposals), counted, counts, config.matching, config.threshold)
    if found is None:
        wanted = sum(each.lower for each in counts)
        return Annotation(None, reason=f"{wanted} proposals are needed, but it has {proposals.count}")
    labels = unite(proposals, found, counted, values)
    return Annotation(labels, found.beta, found.scores, is_exact=found.is_exact)


def unite(
    proposals: Proposals, matching: Matching, maps: Float[np.ndarray, "C H W"], values: Sequence[int]
) -> UInt[np.ndarray, "H W"]:
    """Return q_c as a label map; a pixel in the unions of two labels gets the likelier one."""
    covered = np.stack([proposals.union(chosen) for chosen in matching.chosen])
    likely = np.where(covered, maps, -1.0)
    winner = np.asarray(values)[likely.argmax(axis=0)]
    labels: UInt[np.ndarray, "H W"] = np.where(covered.any(axis=0), winner, 0)
    return labels.astype(smallest_unsigned(max(values)))


def likeliest(probabilities: Float[np.ndarray, "K H W"]) -> Float[np.ndarray, "K H W"]:
    """Return 1 for the likeliest class of each pixel, 0 for the others."""
    classes = np.arange(len(probabilities))[:, None, None]
    hard: Float[np.ndarray, "K H W"] = (probabilities.argmax(axis=0) == classes).astype(np.float32)
    return hard


def annotate_by_student(probabilities: Float[np.ndarray, "K H W"], values: Sequence[int]) -> Annotation:
    """Annotate each pixel with its likeliest class; the score is the student's confidence.

    The score of a label is the mean probability of its pixels, that of the picture the mean over the labels
    found, or the background's score where none is. `probabilities` has the background first.
    """
    winner, highest = probabilities.argmax(axis=0), probabilities.max(axis=0)
    scores = [_mean_where(highest, winner == number) for number in range(len(probabilities))]
    background, *found = scores
    there = [score for score in found if score is not None] or [background or 0.0]
    labels = np.array([0, *values])[winner].astype(smallest_unsigned(max(values)))
    return Annotation(labels, sum(there) / len(there), tuple(found))


def _mean_where(highest: Float[np.ndarray, "H W"], mask: Bool[np.ndarray, "H W"]) -> float | None:
    return min(1.0, float(highest[mask].mean(dtype=np.float64))) if mask.any() else None


def is_selected(annotation: Annotation, config: SamDskConfig) -> bool:
    """Return whether the picture joins the labeled set: always for plain pseudo-labels, else by its score.

    A picture without a labeled pixel is never selected by score, because nothing was matched in it.
    """
    if annotation.labels is None:
        return False
    if config.selection == "all":
        return True
    return annotation.score > config.threshold and bool(annotation.labels.any())
