"""SamDSK's settings, and the source of each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.students.config import LossName, OptimizerName, StudentConfig
from sammed.errors import ConfigError
from sammed.ranges import check_least, check_shares, check_words

Selection: TypeAlias = Literal["samdsk", "all", "confidence"]
MapKind: TypeAlias = Literal["soft", "hard"]


@dataclass(frozen=True, slots=True)
class CountLimits:
    """How many proposals may make up a class in one picture (equation 3: v_lower and v_upper)."""

    lower: int = 1
    upper: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.lower <= self.upper:
            raise ConfigError(
                f"The limits {self.lower}-{self.upper} are invalid: the first must be 0 or more, and at most "
                "the second."
            )


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """The effort to find the best choice; the bound shows what may have been missed.

    No limit is a time, so results are the same on every machine.
    """

    most_terms: int = 60_000  # of one program's constraints; above, greedy choice and relaxed bound
    most_nodes: int = 2_000  # of branch and bound inside the solver
    most_branches: int = 50  # over proposals that two classes claim

    def __post_init__(self) -> None:
        check_least(self, 1, "most_terms", "most_nodes", "most_branches")


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Count limits of a label, a pair per round; the last applies to later ones. `value` None: any label."""

    value: int | None
    limits: tuple[CountLimits, ...]


@dataclass(frozen=True, slots=True)
class SamDskStudent(StudentConfig):
    """The student whose maps are matched: a softmax over C classes, the background one of them (3.2).

    A sigmoid for each label leaves more probability on the background, all of which the IoU of equation 1
    counts: on one set of discs 0.16 to 0.18 per pixel instead of 0.01, and an IoU of 0.3 instead of 0.9.
    """

    loss: LossName = "dice+ce"
    optimizer: OptimizerName = "adam"  # paper, 3.5


@dataclass(frozen=True, slots=True)
class SamDskConfig:
    """Settings of the method `samdsk`. Raises ConfigError for a value out of range.

    `selection` "samdsk" is the paper's; its baselines are "all", plain pseudo-labels (the student's likeliest
    label in every picture, one round), and "confidence", the student's labels where its own confidence is
    above `threshold`. `counts` are v_lower-v_upper round by round, "1-1/1-2/1-3"; "2:0-1/0-2" are those of
    label 2 only. Each round trains a student from scratch, with the labeler's seed and the channels of the
    gold pictures, whatever `student` states. Its `maps` are matched as they are ("soft", as in the paper), or
    reduced to the likeliest class ("hard"), for a student with low confidence. With `keep_rejected`, pictures
    that no round selected keep the annotation of the last round with its score, for a filter.
    """

    selection: Selection = "samdsk"
    threshold: float = 0.9  # β*; paper, 3.4
    counts: tuple[str, ...] = ("1-1/1-2/1-3",)  # paper, 4.2
    most_rounds: int = 10  # ends earlier when nothing is added; the paper's experiments stop after three
    weight: float = 1.0  # λ of equation 5; paper, 3.5
    maps: MapKind = "soft"
    keep_rejected: bool = False
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    matching: MatchingConfig = field(default_factory=MatchingConfig)
    student: SamDskStudent = field(default_factory=SamDskStudent)

    def __post_init__(self) -> None:
        check_words(self, "selection", "maps")
        check_shares(self, "threshold")
        if self.most_rounds < 1 or self.weight < 0:
            raise ConfigError(
                f"most_rounds is {self.most_rounds}, weight {self.weight}; the first must be 1 or more, the "
                "second 0 or more."
            )
        if self.student.is_3d:
            raise ConfigError("A dynunet takes volumes, but probability maps are matched picture by picture.")
        values = [counts.value for counts in self._label_counts()]
        if len(set(values)) < len(values):
            raise ConfigError(f"counts are {', '.join(self.counts)}: a label occurs twice.")

    def limits(self, value: int, number: int) -> CountLimits:
        """Return v_lower and v_upper of a label in a round, counted from 0."""
        by_value = {counts.value: counts.limits for counts in self._label_counts()}
        limits = by_value.get(value) or by_value.get(None) or (CountLimits(),)
        return limits[min(number, len(limits) - 1)]

    def changes_after(self, number: int) -> bool:
        """Return whether the limits of some later round differ, so that it may add more pictures."""
        return any(number + 1 < len(counts.limits) for counts in self._label_counts())

    def check_labels(self, values: Sequence[int]) -> None:
        """Raise ConfigError where `counts` names a label that isn't among these values."""
        unknown = [counts.value for counts in self._label_counts() if counts.value not in (None, *values)]
        if unknown:
            raise ConfigError(
                f"counts name the label {unknown[0]}, which the set does not list "
                f"(it lists {', '.join(map(str, values))})."
            )

    def _label_counts(self) -> tuple[LabelCounts, ...]:
        return tuple(parse_counts(text) for text in self.counts)


def parse_counts(text: str) -> LabelCounts:
    """Read count limits such as "1-1/1-2" or, for label 2 only, "2:1-1/1-2". Raises ConfigError."""
    value, _, rounds = text.rpartition(":")
    try:
        pairs = [part.split("-") for part in rounds.split("/")]
        limits = tuple(CountLimits(int(lower), int(upper)) for lower, upper in pairs)
        return LabelCounts(int(value) if value else None, limits)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{text!r} are not counts; give lower-upper per round, such as 1-1/1-2, or 2:0-1 for label 2."
        ) from None
