"""Matching proposals with the probability maps of all classes (SamDSK, equations 1 to 4).

Equation 1 is a sum of one IoU per class, and equation 2 couples the classes: a proposal may serve one class
only. Without equation 2 each class could be solved separately (`best_union`), which bounds the sum from
above. Where two classes claim one proposal, there is a branch for each of them that keeps it, and one for the
other classes: branch and bound, best bound first, exact unless a limit of `MatchingConfig` was reached.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from jaxtyping import Bool, Float

from sammed.datasets.pseudo.samdsk.atoms import Atoms
from sammed.datasets.pseudo.samdsk.best_union import TOLERANCE, Choice, choose
from sammed.datasets.pseudo.samdsk.config import CountLimits, MatchingConfig
from sammed.datasets.pseudo.samdsk.soft_iou import SoftIou, soft_iou
from sammed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Matching:
    """The choice of equations 1 to 3: for each class the proposals and their IoU with its map.

    `bound` is an upper bound of β.
    """

    chosen: tuple[tuple[int, ...], ...]
    scores: tuple[float, ...]
    bound: float

    @property
    def beta(self) -> float:
        """The score of the picture, 0..1 (equation 4): the mean over the classes without the background."""
        return sum(self.scores) / len(self.scores)

    @property
    def is_exact(self) -> bool:
        """Whether no other choice has a greater β."""
        return self.bound - self.beta <= TOLERANCE


@dataclass(frozen=True, slots=True, eq=False)
class _Branch:
    """The best choice of each class among the proposals that this branch allows."""

    allowed: Bool[np.ndarray, "C K"]
    choices: tuple[Choice, ...]

    @property
    def score(self) -> float:
        return sum(choice.score for choice in self.choices)

    @property
    def bound(self) -> float:
        return sum(choice.bound for choice in self.choices)

    @property
    def shared(self) -> int | None:
        """The proposal that most classes claim; None where none is claimed twice."""
        wanted = Counter(index for choice in self.choices for index in choice.chosen)
        return next((index for index, times in wanted.most_common(1) if times > 1), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    fractions: tuple[SoftIou, ...]
    limits: tuple[CountLimits, ...]
    config: MatchingConfig

    def choose(self, place: int, allowed: Bool[np.ndarray, " K"], limits: CountLimits) -> Choice | None:
        return choose(self.fractions[place], limits, allowed, self.config)

    def branch(self, allowed: Bool[np.ndarray, "C K"], known: Sequence[Choice] = ()) -> _Branch | None:
        """Return the branch, or None where a class has too few proposals; keep allowed known choices."""
        choices: list[Choice] = []
        for place, row in enumerate(allowed):
            kept = known[place] if known and row[list(known[place].chosen)].all() else None
            choice = kept or self.choose(place, row, self.limits[place])
            if choice is None:
                return None
            choices.append(choice)
        return _Branch(allowed, tuple(choices))

    def split(self, branch: _Branch, index: int) -> Iterator[_Branch]:
        """Yield the branches in which proposal `index` serves one of the claiming classes, or another."""
        wants = np.array([index in choice.chosen for choice in branch.choices])
        keepers = [np.arange(len(wants)) == place for place in np.flatnonzero(wants)]
        if not wants.all():
            keepers.append(~wants)
        for keeps in keepers:
            allowed = branch.allowed.copy()
            allowed[:, index] &= keeps
            made = self.branch(allowed, branch.choices)
            if made is not None:
                yield made

    def in_turn(self) -> _Branch | None:
        """Return a feasible choice: class after class takes its best of the remaining proposals."""
        proposals = self.fractions[0].membership.shape[0]
        allowed = np.ones((len(self.fractions), proposals), dtype=bool)
        choices: list[Choice] = []
        for place, limits in enumerate(self.limits):
            owed = sum(each.lower for each in self.limits[place + 1 :])
            most = int(np.count_nonzero(allowed[place])) - owed
            if most < limits.lower:
                return None
            choice = self.choose(place, allowed[place], replace(limits, upper=min(limits.upper, most)))
            if choice is None:
                return None
            choices.append(choice)
            allowed[:, list(choice.chosen)] = False
        return _Branch(allowed, tuple(choices))


def match(
    atoms: Atoms,
    maps: Float[np.ndarray, "C H W"],
    limits: Sequence[CountLimits],
    config: MatchingConfig | None = None,
    worth: float = 0.0,
) -> Matching | None:
    """Return the choice of equations 1 to 3; None where the lower limits need more proposals than exist.

    `maps` are the probabilities (0..1) of the classes without the background, `limits` theirs in this order.
    Where no choice has a β above `worth`, conflicts between classes are resolved in turn, without the search
    for the optimum.
    """
    if len(limits) != len(maps) or not len(maps):
        raise ConfigError(f"{len(maps)} probability maps need as many count limits, not {len(limits)}.")
    fractions = tuple(soft_iou(atoms, each) for each in maps)
    return _search(_Problem(fractions, tuple(limits), config or MatchingConfig()), worth)


def _search(problem: _Problem, worth: float) -> Matching | None:
    best = problem.in_turn()
    if best is None:
        return None
    classes, proposals = len(problem.fractions), len(problem.fractions[0].membership)
    root = problem.branch(np.ones((classes, proposals), dtype=bool))
    if root is None or root.bound <= worth * classes:
        return _matching(best, best.score if root is None else root.bound)
    return _branch_and_bound(problem, best, root)


def _branch_and_bound(problem: _Problem, best: _Branch, root: _Branch) -> Matching:
    number = count()  # breaks ties, so that branches themselves are never compared
    waiting = [(-root.bound, next(number), root)]
    settled = best.score  # the greatest bound of branches that need no splitting
    for _ in range(problem.config.most_branches):
        if not waiting or -waiting[0][0] <= best.score + TOLERANCE:
            break
        branch = heapq.heappop(waiting)[2]
        index = branch.shared
        if index is None:
            settled = max(settled, branch.bound)
            best = max(best, branch, key=lambda each: each.score)
            continue
        for child in problem.split(branch, index):
            heapq.heappush(waiting, (-child.bound, next(number), child))
    return _matching(best, max(settled, best.score, -waiting[0][0] if waiting else 0.0))


def _matching(best: _Branch, bound: float) -> Matching:
    classes = len(best.choices)
    return Matching(
        tuple(choice.chosen for choice in best.choices),
        tuple(choice.score for choice in best.choices),
        min(1.0, bound / classes),
    )
