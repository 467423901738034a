"""Figures from rows: means and spreads over seeds, shares and gains seed by seed."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.page import spread
from bench.pseudo.rows import EMBEDDING_CAM, GOLD, LABELS, STUDENT, TRUTH, Row

BySeed = Mapping[int, float]
CLASSIFIERS: Mapping[str, str] = {"cam": "a ResNet", EMBEDDING_CAM: "the embedding"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One value for each seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean, NaN where nothing was measured."""
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def text(self) -> str:
        """Mean ± standard deviation; the value of a single run; a dash without one."""
        if len(self.values) < 2:
            return f"{self.mean:.3f}" if self.values else "-"
        return spread(self.values)

    @property
    def percent(self) -> str:
        """The same as a change in percent."""
        if len(self.values) < 2:
            return f"{100 * self.mean:+.1f} %" if self.values else "-"
        return f"{100 * self.mean:+.1f} ± {100 * np.std(self.values):.1f} %"


class Figures:
    """All rows, looked up by what they are."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._by_key: dict[tuple[str, str, str, str, int], dict[int, float]] = defaultdict(dict)
        for row in rows:
            self._by_key[row.experiment, row.set, row.way, row.measure, row.number][row.seed] = row.value

    def by_seed(self, experiment: str, name: str, way: str, measure: str, number: int = 0) -> BySeed:
        """Return the measured values by seed."""
        return self._by_key.get((experiment, name, way, measure, number), {})

    def ways(self, experiment: str, name: str) -> list[str]:
        """Return the ways of an experiment in the order in which they were measured."""
        rows = (row for row in self.rows if row.experiment == experiment and row.set == name)
        return list(dict.fromkeys(row.way for row in rows))

    def numbers(self, experiment: str, name: str, way: str, measure: str) -> list[int]:
        """Return the numbers of weak labels, or of rounds, that were measured."""
        wanted = (experiment, name, way, measure)
        return sorted({key[4] for key in self._by_key if key[:4] == wanted})

    def student(self, experiment: str, name: str, way: str) -> BySeed:
        """Return the student of all labels of a way: for each seed the one with the most labels."""
        found: dict[int, float] = {}
        for number in self.numbers(experiment, name, way, STUDENT):
            found |= self.by_seed(experiment, name, way, STUDENT, number)
        return found

    def labels(self, experiment: str, name: str, way: str) -> BySeed:
        """Return the Dice of the labels that a method made."""
        return self.by_seed(experiment, name, way, LABELS)

    def supervised(self, name: str) -> BySeed:
        """Return the student of all truth."""
        return self.by_seed("base", name, TRUTH, STUDENT)

    def gold(self, name: str) -> BySeed:
        """Return the student of the gold alone."""
        return self.by_seed("base", name, GOLD, STUDENT)

    def details(self, experiment: str, name: str, way: str, measure: str) -> str:
        """Return the details of rows, seed by seed."""
        wanted = (experiment, name, way, measure)
        found = [row for row in self.rows if (row.experiment, row.set, row.way, row.measure) == wanted]
        return "; ".join(dict.fromkeys(row.detail for row in found if row.detail))


def figure(values: BySeed) -> Figure:
    """Over all seeds."""
    return Figure(tuple(values.values()))


def share(first: BySeed, second: BySeed) -> Figure:
    """Return what the first reaches of the second."""
    return _paired(first, second, lambda ours, best: ours / best if best else math.nan)


def gain(first: BySeed, second: BySeed) -> Figure:
    """Return how far the first is above the second, relative to it."""
    return _paired(first, second, lambda ours, before: ours / before - 1 if before else math.nan)


def _paired(first: BySeed, second: BySeed, of: Callable[[float, float], float]) -> Figure:
    return Figure(tuple(of(first[seed], second[seed]) for seed in first if seed in second))


def cam_share(figures: Figures, experiment: str, measure: str = "Dice") -> Figure:
    """Return the share of boxes from maps in boxes from the truth on ACDC, all labels together."""
    ways = [way for way in figures.ways(experiment, "ACDC") if way.endswith(": grad-cam, box")]
    ours = _together([figures.by_seed(experiment, "ACDC", way, measure) for way in ways])
    best = _together([figures.by_seed(experiment, "ACDC", way, f"{measure} by truth") for way in ways])
    return share(ours, best)


def _together(found: Sequence[BySeed]) -> BySeed:
    seeds = sorted({seed for each in found for seed in each})
    return {seed: float(np.mean([each[seed] for each in found if seed in each])) for seed in seeds}
