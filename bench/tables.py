"""Tables of what `accuracy.py` measured: mean and spread over cases and seeds."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cases import TARGETS

HEADER = """# Accuracy

Written by `python bench/accuracy.py`. 3-D Dice of whole volumes on slices that were not annotated; mean ±
standard deviation over cases and seeds. Annotated slices are spread evenly with a random offset a seed,
unless a row says that they were drawn as in the paper (3.3). No prompt comes from the truth unless the row
says so. Simulated users, who see the truth, prompt a dozen slices. The chest CT ships with the package
slicerio; the other sets are public (Medical Segmentation Decathlon, ACDC, an atrial challenge, a
TotalSegmentator case whose labels are a model's).
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """All Dice of one label made in one way."""

    table: str
    group: str
    label: str
    way: str
    slices: int
    scores: tuple[float, ...]
    cases: int
    details: tuple[str, ...]

    @property
    def text(self) -> str:
        """Mean ± spread."""
        return f"{np.mean(self.scores):.3f} ± {np.std(self.scores):.3f}"


def write_tables(folder: Path) -> None:
    """accuracy.md and accuracy.json from accuracy.jsonl."""
    lines = (folder / "accuracy.jsonl").read_text(encoding="utf-8").splitlines()
    latest = {}  # a row that was measured again counts once
    for row in map(json.loads, lines):
        latest[tuple(row[key] for key in ("table", "case", "label", "way", "slices", "seed"))] = row
    cells = _cells(list(latest.values()))
    (folder / "accuracy.json").write_text(
        json.dumps(list(latest.values()), indent=1) + "\n", encoding="utf-8"
    )
    parts = [
        HEADER,
        *(_table(name, [cell for cell in cells if cell.table == name]) for name in _names(cells)),
    ]
    (folder / "accuracy.md").write_text("\n".join(parts), encoding="utf-8")


def _names(cells: list[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.table for cell in cells))


def _cells(rows: list[dict[str, object]]) -> list[Cell]:
    found: dict[tuple[object, ...], list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in ("table", "group", "label", "way", "slices"))].append(row)
    return [
        Cell(
            *key,  # type: ignore[arg-type]
            scores=tuple(float(str(row["dice"])) for row in members),
            cases=len({row["case"] for row in members}),
            details=tuple(dict.fromkeys(str(row["detail"]) for row in members if row["detail"])),
        )
        for key, members in found.items()
    ]


def _table(name: str, cells: list[Cell]) -> str:
    lines = [
        f"## {name}",
        "",
        "| case | label | slices | way | Dice | runs (cases) | asked for |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in sorted(cells, key=lambda cell: (cell.group, cell.label, cell.slices)):
        target = TARGETS.get((cell.group, cell.label)) if cell.way == "automatic" else None
        mark = (
            "" if target is None else f"{target} {'reached' if np.mean(cell.scores) >= target else 'missed'}"
        )
        runs = f"{len(cell.scores)} ({cell.cases})"
        lines.append(
            f"| {cell.group} | {cell.label} | {cell.slices} | {cell.way} | {cell.text} | {runs} | {mark} |"
        )
    return "\n".join([*lines, ""])
