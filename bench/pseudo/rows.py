"""Rows of pseudo.csv: what was measured of one set with one seed; and the words that rows use."""

from dataclasses import dataclass
from pathlib import Path

from bench.rows import read_rows

ROWS_NAME = "pseudo.csv"

TRUTH, GOLD = "the truth", "gold alone"
"""Ways of the experiment `base`: what its students learn from."""

STUDENT, LABELS = "student", "labels"
"""Measures of every experiment: Dice of a student, Dice of the pseudo-labels."""

EMBEDDING_CAM = "cam of the embedding"


@dataclass(frozen=True, slots=True)
class Row:
    """One value: `measure` names it, `detail` explains it, `number` counts weak labels or rounds.

    `commit` is the code that measured it.
    """

    experiment: str
    set: str
    way: str
    seed: int
    measure: str
    number: int
    value: float
    detail: str = ""
    commit: str = ""


def latest_rows(folder: Path) -> list[Row]:
    """Return the rows of a folder of results; one that was measured again counts once."""
    rows = read_rows(folder / ROWS_NAME, Row)
    latest = {(row.experiment, row.set, row.way, row.seed, row.measure, row.number): row for row in rows}
    return list(latest.values())


def is_measured(folder: Path, experiment: str, name: str, seed: int) -> bool:
    """Whether an earlier run wrote rows of this experiment on this set with this seed."""
    wanted = (experiment, name, seed)
    return any((row.experiment, row.set, row.seed) == wanted for row in latest_rows(folder))
