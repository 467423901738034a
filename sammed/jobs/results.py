"""Results: what a job did, as the objects that the commands print with `--json`. No torch here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sammed.reports.report import Cell, Table

Status: TypeAlias = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A skill that was learned. Slices are array indices along `axis`; `labels` are names."""

    skill: Path
    backbone: str
    axis: int
    annotated_slices: tuple[int, ...]
    background_slices: tuple[int, ...]
    labels: tuple[str, ...]
    trainable_parameters: int
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The object that `sammed assist-train --json` prints."""
        return {**asdict(self), "skill": str(self.skill), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingItem:
    """One image of a batch. `slices` counts those that hold a label, `labels` names what was found."""

    image: Path
    output: Path | None
    status: Status
    seconds: float = 0.0
    slices: int = 0
    labels: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingResult:
    """A batch; `interrupted` says that Ctrl-C ended it before its last image."""

    items: tuple[LabelingItem, ...]
    interrupted: bool = False

    def count(self, status: Status) -> int:
        """How many images came out so."""
        return sum(item.status == status for item in self.items)

    def to_json(self) -> dict[str, object]:
        """The object that `sammed auto-label --json` prints."""
        return {"items": [_item_json(item) for item in self.items]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptingResult:
    """A label volume made from a person's prompts; `slices` are array indices along `axis`."""

    image: Path
    output: Path
    backbone: str
    axis: int
    slices: tuple[int, ...]
    labels: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The object that `sammed assist-label --json` prints."""
        paths = {"image": str(self.image), "output": str(self.output)}
        return {**asdict(self), **paths, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class ClickingRow:
    """One way of prompting, measured: see `sammed.assist.clicks.ClickScore`; `trained` is the skill's."""

    backbone: str
    trained: bool
    prompt: Literal["points", "box", "composite"]
    count: int
    dice_mean: float
    dice_std: float
    slices: int

    def to_json(self) -> dict[str, object]:
        """The row under its names, None in place of NaN."""
        return {name: _finite(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class ClickingResult:
    """What simulated users reached."""

    rows: tuple[ClickingRow, ...]

    def to_json(self) -> dict[str, object]:
        """The object that `sammed assist-evaluate --json` prints."""
        return {"rows": [row.to_json() for row in self.rows]}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo wrote, and the tables that it shows."""

    output: Path
    files: tuple[Path, ...]
    tables: tuple[Table, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The object that `sammed demo --json` prints."""
        return {
            "output": str(self.output),
            "files": [str(path) for path in self.files],
            "tables": [_table_json(table) for table in self.tables],
            "seconds": round(self.seconds, 3),
        }


def _item_json(item: LabelingItem) -> dict[str, object]:
    output = None if item.output is None else str(item.output)
    return {**asdict(item), "image": str(item.image), "output": output, "seconds": round(item.seconds, 3)}


def _table_json(table: Table) -> dict[str, object]:
    rows = [dict(zip(table.headers, map(_finite, row), strict=True)) for row in table.rows]
    return {"title": table.title, "rows": rows}


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and math.isnan(value) else value
