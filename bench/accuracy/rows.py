"""Rows of accuracy.csv: what was measured of one label of one case with one seed."""

from dataclasses import dataclass
from pathlib import Path

from bench.rows import read_rows

ROWS_NAME = "accuracy.csv"
FROM_TRUTH = "boxes from the truth, same skill"


@dataclass(frozen=True, slots=True)
class Row:
    """One label of one case, learned with one seed, labeled in one way.

    `dice` is over all slices that were not annotated; `slices` counts those that were. `commit` is the code
    that measured it.
    """

    table: str
    group: str
    folder: str
    label: str
    way: str
    slices: int
    seed: int
    dice: float
    detail: str = ""
    commit: str = ""

    @property
    def task(self) -> tuple[str, str, str, str, int, int]:
        """What is measured, whatever the way: the rows of one task are written together."""
        return self.table, self.group, self.folder, self.label, self.slices, self.seed


def latest_rows(folder: Path) -> list[Row]:
    """Return the rows of a folder of results; one that was measured again counts once."""
    latest = {(row.task, row.way): row for row in read_rows(folder / ROWS_NAME, Row)}
    return list(latest.values())
