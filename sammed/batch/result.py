"""The result of a batch: what became of each image. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["done", "skipped", "failed"]


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

    def to_json(self) -> dict[str, object]:
        """The item under its names."""
        output = None if self.output is None else str(self.output)
        return {**asdict(self), "image": str(self.image), "output": output, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingResult:
    """A batch; `interrupted` says that Ctrl-C ended it before its last image."""

    items: tuple[LabelingItem, ...]
    interrupted: bool = False

    def count(self, status: Status) -> int:
        """How many images came out so."""
        return sum(item.status == status for item in self.items)

    def to_json(self) -> dict[str, object]:
        """The object that `sammed auto-label --json` and `sammed student label --json` print."""
        return {"items": [item.to_json() for item in self.items]}
