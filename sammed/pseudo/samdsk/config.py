"""SamDSK's settings, and where each number comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from sammed.errors import ConfigError

Selection: TypeAlias = Literal["samdsk", "all", "confidence"]
ProposalSource: TypeAlias = Literal["auto", "points", "boxes"]


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
    """How hard to look for the best choice. What is reached beside the exact one is told by the bound.

    No limit is a time, so that a result is the same on every machine.
    """

    most_terms: int = 60_000  # of one program's constraints; beyond, greedy choice and relaxed bound
    most_nodes: int = 2_000  # of branch and bound inside the solver
    most_branches: int = 50  # over proposals that two classes want

    def __post_init__(self) -> None:
        for name in ("most_terms", "most_nodes", "most_branches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
