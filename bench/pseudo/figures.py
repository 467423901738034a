"""Figures from rows: means and spreads over seeds, shares and gains seed by seed, and what was asked for."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pseudo_rows import Row
from pseudo_trials import EMBEDDING_CAM, GOLD, LABELS, STUDENT, TRUTH

BySeed = Mapping[int, float]
CLASSIFIERS: Mapping[str, str] = {"cam": "a ResNet", EMBEDDING_CAM: "the embedding"}
SETS = ("hippocampus", "ACDC", "BUSI", "X-ray", "polyps")


@dataclass(frozen=True, slots=True)
class Figure:
    """One value a seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """NaN where nothing was measured."""
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def text(self) -> str:
        """Mean ± spread; one run has no spread, none a dash."""
        if len(self.values) < 2:
            return f"{self.mean:.3f}" if self.values else "-"
        return f"{self.mean:.3f} ± {np.std(self.values):.3f}"

    @property
    def percent(self) -> str:
        """The same as a change in percent."""
        if len(self.values) < 2:
            return f"{100 * self.mean:+.1f} %" if self.values else "-"
        return f"{100 * self.mean:+.1f} ± {100 * np.std(self.values):.1f} %"


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for, what was measured, and whether that is enough; None where nothing was measured."""

    what: str
    least: str
    found: str
    runs: int
    reached: bool | None


class Figures:
    """All rows, asked by what they are."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._by_key: dict[tuple[str, str, str, str, int], dict[int, float]] = defaultdict(dict)
        for row in rows:
            self._by_key[row.experiment, row.set, row.way, row.measure, row.number][row.seed] = row.value

    def by_seed(self, experiment: str, name: str, way: str, measure: str, number: int = 0) -> BySeed:
        """The values that were measured, by seed."""
        return self._by_key.get((experiment, name, way, measure, number), {})

    def ways(self, experiment: str, name: str) -> list[str]:
        """Ways of an experiment in the order in which they were measured."""
        rows = (row for row in self.rows if row.experiment == experiment and row.set == name)
        return list(dict.fromkeys(row.way for row in rows))

    def numbers(self, experiment: str, name: str, way: str, measure: str) -> list[int]:
        """The numbers of weak labels, or of rounds, that were measured."""
        wanted = (experiment, name, way, measure)
        return sorted({key[4] for key in self._by_key if key[:4] == wanted})

    def student(self, experiment: str, name: str, way: str) -> BySeed:
        """The student on all labels of a way: of each seed that with the most labels."""
        found: dict[int, float] = {}
        for number in self.numbers(experiment, name, way, STUDENT):
            found |= self.by_seed(experiment, name, way, STUDENT, number)
        return found

    def supervised(self, name: str) -> BySeed:
        """The student of all truth."""
        return self.by_seed("base", name, TRUTH, STUDENT)

    def gold(self, name: str) -> BySeed:
        """The student of the gold alone."""
        return self.by_seed("base", name, GOLD, STUDENT)

    def details(self, experiment: str, name: str, way: str, measure: str) -> str:
        """What rows say beside their values, seed by seed."""
        wanted = (experiment, name, way, measure)
        found = [row for row in self.rows if (row.experiment, row.set, row.way, row.measure) == wanted]
        return "; ".join(dict.fromkeys(row.detail for row in found if row.detail))


def figure(values: BySeed) -> Figure:
    """Over all seeds."""
    return Figure(tuple(values.values()))


def paired(first: BySeed, second: BySeed, of: Callable[[float, float], float]) -> Figure:
    """Seed by seed, where both were measured."""
    return Figure(tuple(of(first[seed], second[seed]) for seed in first if seed in second))


def share(first: BySeed, second: BySeed) -> Figure:
    """What the first reaches of the second."""
    return paired(first, second, lambda ours, best: ours / best if best else math.nan)


def gain(first: BySeed, second: BySeed) -> Figure:
    """By how much the first is above the second, relative to it."""
    return paired(first, second, lambda ours, before: ours / before - 1 if before else math.nan)


def cam_share(figures: Figures, experiment: str, measure: str = "Dice") -> Figure:
    """Prompts from maps over prompts from the truth on ACDC, of labels together, seed by seed."""
    ways = [way for way in figures.ways(experiment, "ACDC") if way.endswith(": grad-cam, box")]
    ours = _together([figures.by_seed(experiment, "ACDC", way, measure) for way in ways])
    best = _together([figures.by_seed(experiment, "ACDC", way, f"{measure} by truth") for way in ways])
    return share(ours, best)


def _together(found: Sequence[BySeed]) -> BySeed:
    seeds = sorted({seed for each in found for seed in each})
    return {seed: float(np.mean([each[seed] for each in found if seed in each])) for seed in seeds}


def targets(figures: Figures) -> Iterator[Target]:
    """All that was asked for."""
    for name in ("hippocampus", "ACDC"):
        found = share(figures.student("auto", name, "auto"), figures.supervised(name))
        yield _target(f"student on `auto` labels, share of the supervised one: {name}", 0.95, found)
    gains = {name: gain(figures.student("coarse", name, "box"), figures.gold(name)) for name in SETS}
    for name, found in gains.items():
        reached = found.mean >= 0.05 if found.values else None
        what = f"Auto-Generate-WLs over gold alone: {name}"
        yield Target(what, "+5 % on 3 of 5", found.percent, len(found.values), reached)
    top = figure(figures.by_seed("rounds", "X-ray", "SamDSK", "IoU of the top tenth"))
    yield _target("SamDSK's labels, the tenth with the highest beta, IoU: X-ray", 0.9, top)
    for experiment, name in CLASSIFIERS.items():
        what = f"prompts from maps of {name} (box), share of prompts from the truth: ACDC"
        yield _target(what, 0.6, cam_share(figures, experiment))


def _target(what: str, least: float, found: Figure) -> Target:
    reached = found.mean >= least if found.values else None
    return Target(what, f"{least:g}", found.text, len(found.values), reached)


def label_dice(figures: Figures, experiment: str, name: str, way: str) -> Figure:
    """Dice of the labels that a method made."""
    return figure(figures.by_seed(experiment, name, way, LABELS))
