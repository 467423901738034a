"""The tables of accuracy.md: mean and spread over cases and seeds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.accuracy.rows import FROM_TRUTH, Row, latest_rows
from bench.accuracy.targets import ASSIST_DICE, DICE, SHARE_OF_TRUTH, verdict
from bench.page import Cells, spread, table, write_page


@dataclass(frozen=True, slots=True)
class Cell:
    """The Dice of one label made in one way, over `cases` cases and all seeds."""

    table: str
    group: str
    label: str
    way: str
    slices: int
    scores: tuple[float, ...]
    cases: int

    @property
    def mean(self) -> float:
        """Mean over cases and seeds."""
        return float(np.mean(self.scores))


def write_tables(folder: Path) -> None:
    """Write the tables of accuracy.md from accuracy.csv."""
    cells = _cells(latest_rows(folder))
    lines = [line for section in _sections(cells) for line in section]
    write_page(folder / "accuracy.md", "Accuracy", "python -m bench.accuracy", lines)


def _sections(cells: list[Cell]) -> Iterator[list[str]]:
    headers = ("case", "label", "slices", "way", "Dice", "runs (cases)", "asked for")
    for name in dict.fromkeys(cell.table for cell in cells):
        yield _section(name, headers, _measured(cell for cell in cells if cell.table == name))
    title = "automatic, over boxes from the truth"
    yield _section(title, ("case", "label", "share", "asked for"), _shares(cells))
    title = "assist, abdomen CT, two slices: mean over the labels"
    yield _section(title, ("way", "labels", "Dice", "asked for"), _means(cells))


def _section(title: str, headers: Cells, rows: Iterable[Cells]) -> list[str]:
    found = list(rows)
    return [f"## {title}", "", *table(headers, found), ""] if found else []


def _cells(rows: list[Row]) -> list[Cell]:
    found: dict[tuple[str, str, str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        found[row.table, row.group, row.label, row.way, row.slices].append(row)
    return [
        Cell(*key, scores=tuple(row.dice for row in members), cases=len({row.folder for row in members}))
        for key, members in found.items()
    ]


def _measured(cells: Iterable[Cell]) -> Iterator[Cells]:
    for cell in sorted(cells, key=lambda cell: (cell.group, cell.label, cell.slices)):
        target = DICE.get((cell.group, cell.label)) if cell.way == "automatic" else None
        runs = f"{len(cell.scores)} ({cell.cases})"
        mark = verdict(cell.mean, target)
        yield cell.group, cell.label, str(cell.slices), cell.way, spread(cell.scores), runs, mark


def _shares(cells: list[Cell]) -> Iterator[Cells]:
    """Automatic labels over those of the same skill with boxes from the truth."""
    by_label: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for cell in cells:
        if cell.table == "automatic":
            by_label[cell.group, cell.label][cell.way] = cell.mean
    for (group, label), ways in sorted(by_label.items()):
        if "automatic" in ways:
            share = ways["automatic"] / ways[FROM_TRUTH]
            yield group, label, f"{share:.3f}", verdict(share, SHARE_OF_TRUTH)


def _means(cells: list[Cell]) -> Iterator[Cells]:
    """Simulated users on the abdominal CT: the mean over its labels, a row for each way."""
    by_way: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if (cell.table, cell.group, cell.slices) == ("assist", "abdomen CT", 2):
            by_way[cell.way].append(cell)
    for way, members in by_way.items():
        score = float(np.mean([cell.mean for cell in members]))
        yield way, str(len(members)), f"{score:.3f}", verdict(score, ASSIST_DICE.get(way))
