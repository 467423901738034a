"""The record of a round (SamDSK, figure 7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """One round: how many pictures were tried and added, and their mean scores (β); None without any.

    `trained_on` counts the training pictures of the round's student, `inexact` the matchings that may not be
    optimal.
    """

    number: int
    trained_on: int
    tried: int
    added: int
    mean_score: float | None
    mean_score_added: float | None
    inexact: int = 0

    @property
    def sentence(self) -> str:
        """The round in one line."""
        if self.mean_score is None:
            return f"Round {self.number}: no match in {self.tried} pictures."
        mean = f"mean score {self.mean_score:.3f}"
        if self.mean_score_added is not None:
            mean += f", of those added {self.mean_score_added:.3f}"
        inexact = f"; {self.inexact} matchings may not be optimal" if self.inexact else ""
        return f"Round {self.number}: {self.added} of {self.tried} pictures added ({mean}){inexact}."
