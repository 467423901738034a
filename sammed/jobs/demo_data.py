"""The data of the demo: a chest CT from the package slicerio, and its segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

DEMO_LABELS = ("right lung", "left lung")


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its labels."""

    image: Path
    labels: Path


def demo_pair() -> Pair:
    """Return the chest CT and its segmentation."""
    data = Path(str(files("slicerio"))) / "data"
    return Pair(data / "CTChest4.nrrd", data / "Segmentation.seg.nrrd")
