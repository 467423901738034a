"""The pseudo-label: the labels that a machine made for one case, with a score."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool

from sammed.errors import ConfigError
from sammed_volumes.labels import LabelVolume

Outcome: TypeAlias = Literal["labeled", "nothing", "failed"]


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabel:
    """Labels of the case named `case` on its image's own grid, and their score.

    `labels` is None where nothing was found or the case failed; then `reason` is one sentence. `ignore` is
    True for voxels that training ignores. `score` and `label_scores` (by value) are 0..1; each method defines
    their meaning. `maker_digest` identifies the skill, student or settings that made the labels.
    """

    case: str
    labels: LabelVolume | None
    score: float = 0.0
    label_scores: Mapping[int, float] = field(default_factory=dict)
    ignore: Bool[np.ndarray, "X Y Z"] | None = None
    maker_digest: str = ""
    reason: str | None = None
    failed: bool = False

    def __post_init__(self) -> None:
        if self.labels is None and not self.reason:
            raise ConfigError(f"The pseudo-label of {self.case} has neither labels nor a reason.")
        scores = (self.score, *self.label_scores.values())
        if not all(0 <= score <= 1 for score in scores):
            raise ConfigError(f"The pseudo-label of {self.case} has a score outside 0 to 1: {scores}.")
        if self.labels is not None and self.ignore is not None and self.ignore.shape != self.labels.shape:
            raise ConfigError(f"The ignored voxels of {self.case} are on another grid than its labels.")

    @property
    def outcome(self) -> Outcome:
        """Whether there are labels, nothing was found, or the case failed."""
        if self.labels is not None:
            return "labeled"
        return "failed" if self.failed else "nothing"


def mean_by_value(scores: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return the mean score of each label value, in ascending order of value."""
    found: dict[int, list[float]] = {}
    for value, score in scores:
        found.setdefault(value, []).append(score)
    return {value: float(np.mean(found[value])) for value in sorted(found)}


def settings_digest(method: str, config: Any, learned: str) -> str:
    """Return sha256 of a method's settings, a dataclass, and of the digests of what it learned."""
    return hashlib.sha256(f"{method} {sorted(asdict(config).items())} {learned}".encode()).hexdigest()


def nothing_found(case: str, reason: str, maker_digest: str = "") -> PseudoLabel:
    """Return the pseudo-label of a case in which a method found no label."""
    return PseudoLabel(case, None, maker_digest=maker_digest, reason=reason)


def failure(case: str, reason: str) -> PseudoLabel:
    """Return the pseudo-label of a case that failed, such as one whose image can't be read."""
    return PseudoLabel(case, None, reason=reason, failed=True)
