"""The result of a batch: the outcome of each image. Does not import torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingItem:
    """One image of a batch. `slices` counts the slices that hold a label, `labels` names those found."""

    image: Path
    output: Path | None
    status: Status
    seconds: float = 0.0
    slices: int = 0
    labels: tuple[str, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the item as a JSON object."""
        output = None if self.output is None else str(self.output)
        return {**asdict(self), "image": str(self.image), "output": output, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingResult:
    """The items of a batch; `interrupted` if Ctrl-C ended it before the last image."""

    items: tuple[LabelingItem, ...]
    interrupted: bool = False

    def count(self, status: Status) -> int:
        """Return how many images have this status."""
        return sum(item.status == status for item in self.items)

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed auto-label --json` and `sammed student label --json` print."""
        return {"items": [item.to_json() for item in self.items]}
