"""The filter: drop pseudo-labels with low scores, or mark them as ignored."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.errors import ConfigError
from sammed_volumes.labels import LabelVolume

Verdict: TypeAlias = Literal["kept", "partly ignored", "dropped"]


@dataclass(frozen=True, slots=True)
class Filter:
    """The least acceptable score.

    Without `ignore_below` a case with a lower score is dropped. With it, training ignores the voxels of each
    label with a lower score, and a case is dropped only if no label is left.
    """

    least_score: float = 0.0
    ignore_below: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.least_score <= 1:
            raise ConfigError(f"The least score must be from 0 to 1, not {self.least_score:g}.")


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """The filtered pseudo-label (None: dropped), and the reason in one sentence."""

    pseudo_label: PseudoLabel | None
    verdict: Verdict
    reason: str | None = None


def apply_filter(found: PseudoLabel, wanted: Filter) -> Filtered:
    """Filter a pseudo-label that has labels."""
    if found.labels is None:
        raise ConfigError(f"The pseudo-label of {found.case} has no labels to filter.")
    if not wanted.ignore_below:
        if found.score >= wanted.least_score:
            return Filtered(found, "kept")
        return Filtered(None, "dropped", _below(f"its score {found.score:.3f}", wanted))
    return _ignoring(found, found.labels, wanted)


def _ignoring(found: PseudoLabel, labels: LabelVolume, wanted: Filter) -> Filtered:
    counts = labels.voxel_counts()
    there = [label for label in labels.labels if counts[label.value]]
    scores = {label.value: found.label_scores.get(label.value, found.score) for label in there}
    poor = [label for label in there if scores[label.value] < wanted.least_score]
    if not poor:
        return Filtered(found, "kept")
    if len(poor) == len(there):
        best = max(scores.values())
        return Filtered(None, "dropped", _below(f"the best score of its labels, {best:.3f},", wanted))
    ignore = np.isin(labels.voxels, [label.value for label in poor])
    if found.ignore is not None:
        ignore |= found.ignore
    names = ", ".join(f"{label.name} ({scores[label.value]:.3f})" for label in poor)
    return Filtered(
        replace(found, ignore=ignore), "partly ignored", _below(f"ignored: {names}, whose score", wanted)
    )


def _below(what: str, wanted: Filter) -> str:
    return f"{what[0].upper()}{what[1:]} is below {wanted.least_score:g}."
