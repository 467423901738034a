"""A row of `corruption.csv`: what became of the damaged files of one format."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.corruption.processes import GOOD, Outcome
from bench.rows import append_rows, current_commit

Way: TypeAlias = Literal["seeded", "guided", "claims"]

NAME = "corruption.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """How many files gave a result, one sentence, or a fault.

    `way` is "seeded" for random damage, "guided" for that of the fuzzer, "claims" for headers of 10^12
    voxels; the latter two count a file once for each of its readers. `commit` is the code that read them.
    """

    way: str
    format: str
    seed: int
    files: int
    results: int
    sentences: int
    faults: int
    commit: str


def append_row(
    folder: Path,
    way: Way,
    name: str,
    seed: int,
    outcomes: Iterable[Outcome],
) -> None:
    """Append the row of one format."""
    found = list(outcomes)
    faults = sum(outcome not in GOOD for outcome in found)
    counts = (len(found), found.count("result"), found.count("sentence"), faults)
    append_rows(folder / NAME, [Row(way, name, seed, *counts, current_commit())])
