"""SamDSK's settings, and where each number comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.students.config import LossName, OptimizerName, StudentConfig
from sammed.errors import ConfigError

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
                f"From {self.lower} to {self.upper} proposals a class; the first is 0 or more, and no more "
                "than the second."
            )


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """How hard to look for the best choice. What may be missed is told by the bound.

    No limit is a time, so that a result is the same on every machine.
    """

    most_terms: int = 60_000  # of one program's constraints; beyond, greedy choice and relaxed bound
    most_nodes: int = 2_000  # of branch and bound inside the solver
    most_branches: int = 50  # over proposals that two classes want

    def __post_init__(self) -> None:
        for name in ("most_terms", "most_nodes", "most_branches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more.")


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Count limits of a label, a pair a round; the last holds for all later ones. `value` None: any label."""

    value: int | None
    limits: tuple[CountLimits, ...]


@dataclass(frozen=True, slots=True)
class SamDskStudent(StudentConfig):
    """The student whose maps are matched: a softmax over C classes, the background one of them (3.2).

    A sigmoid for each label leaves more of its probability on the background, and the IoU of equation 1
    counts all of it: on one set of discs 0.16 to 0.18 a pixel against 0.01, and an IoU of 0.3 against 0.9.
    """

    loss: LossName = "dice+ce"
    optimizer: OptimizerName = "adam"  # paper, 3.5


@dataclass(frozen=True, slots=True)
class SamDskConfig:
    """Settings of the method `samdsk`. Raises ConfigError for a value out of range.

    `selection` "samdsk" is the paper's; its baselines are "all", plain pseudo-labels (the student's likeliest
    label in every picture, one round), and "confidence", the student's labels where its own confidence is
    above `threshold`. `counts` are v_lower-v_upper round by round, "1-1/1-2/1-3"; "2:0-1/0-2" are those of
    the label 2 alone. A student is trained from scratch in each round; its seed is the labeler's, its
    channels are those of the gold pictures, whatever `student` says. Its `maps` are matched as they are
    ("soft", as in the paper), or cut to its likeliest class ("hard"), for a student that is seldom sure. With
    `keep_rejected` pictures that no round selected get the annotation of the last, with its score, for a
    filter of the caller's to judge.
    """

    selection: Selection = "samdsk"
    threshold: float = 0.9  # β*; paper, 3.4
    counts: tuple[str, ...] = ("1-1/1-2/1-3",)  # paper, 4.2
    most_rounds: int = 10  # it ends when nothing is added; the paper's experiments stop after three
    weight: float = 1.0  # λ of equation 5; paper, 3.5
    maps: MapKind = "soft"
    keep_rejected: bool = False
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    matching: MatchingConfig = field(default_factory=MatchingConfig)
    student: SamDskStudent = field(default_factory=SamDskStudent)

    def __post_init__(self) -> None:
        for name, kinds in (("selection", Selection), ("maps", MapKind)):
            if getattr(self, name) not in get_args(kinds):
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}; it is one of {', '.join(get_args(kinds))}."
                )
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}; it lies from 0 to below 1.")
        if self.most_rounds < 1 or self.weight < 0:
            raise ConfigError(
                f"most_rounds is {self.most_rounds} and weight {self.weight}; the first is 1 or more, the "
                "second 0 or more."
            )
        if self.student.is_3d:
            raise ConfigError("A dynunet takes volumes; probability maps are matched picture by picture.")
        values = [counts.value for counts in self._label_counts()]
        if len(set(values)) < len(values):
            raise ConfigError(f"counts are {', '.join(self.counts)}: one label comes twice.")

    def limits(self, value: int, number: int) -> CountLimits:
        """v_lower and v_upper of a label in a round, counted from 0."""
        by_value = {counts.value: counts.limits for counts in self._label_counts()}
        limits = by_value.get(value) or by_value.get(None) or (CountLimits(),)
        return limits[min(number, len(limits) - 1)]

    def changes_after(self, number: int) -> bool:
        """Whether the limits of some later round than this differ, so that more may be added then."""
        return any(number + 1 < len(counts.limits) for counts in self._label_counts())

    def check_labels(self, values: Sequence[int]) -> None:
        """Raise ConfigError where `counts` names a label that isn't among these values."""
        unknown = [counts.value for counts in self._label_counts() if counts.value not in (None, *values)]
        if unknown:
            raise ConfigError(
                f"counts name the label {unknown[0]}, which the set doesn't list "
                f"(it lists {', '.join(map(str, values))})."
            )

    def _label_counts(self) -> tuple[LabelCounts, ...]:
        return tuple(parse_counts(text) for text in self.counts)


def parse_counts(text: str) -> LabelCounts:
    """Count limits from "1-1/1-2" or, of the label 2 alone, "2:1-1/1-2"; ConfigError for other texts."""
    value, _, rounds = text.rpartition(":")
    try:
        pairs = [part.split("-") for part in rounds.split("/")]
        limits = tuple(CountLimits(int(lower), int(upper)) for lower, upper in pairs)
        return LabelCounts(int(value) if value else None, limits)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{text!r} are no counts; write lower-upper for each round, as in 1-1/1-2, or 2:0-1 for label 2."
        ) from None
