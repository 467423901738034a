"""Rows: what was measured of one set with one seed; appended as they come, so that a run can be killed."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "pseudo.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """One value. `number` counts weak labels or rounds; `measure` says what `value` is, `detail` more."""

    experiment: str
    set: str
    way: str
    seed: int
    measure: str
    value: float
    number: int = 0
    detail: str = ""


def read_rows(folder: Path) -> list[Row]:
    """All rows that were measured; what was measured again counts once."""
    path = folder / NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = (Row(**json.loads(line)) for line in lines)
    latest = {(row.experiment, row.set, row.way, row.seed, row.measure, row.number): row for row in rows}
    return list(latest.values())


def append_rows(folder: Path, rows: Iterable[Row]) -> None:
    """All rows of a trial at once: a trial that was stopped is measured anew."""
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def is_measured(folder: Path, experiment: str, name: str, seed: int) -> bool:
    """Whether an earlier run wrote these rows; remove the file to measure anew."""
    wanted = (experiment, name, seed)
    return any((row.experiment, row.set, row.seed) == wanted for row in read_rows(folder))
