"""How the label files of a case are read: what the user allowed besides reading them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sammed_volumes.formats import read_labels
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.label_likeness import check_are_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.placing import labels_on
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True)
class LabelReading:
    """`flatten` lets later segments win over earlier ones, `resample` interpolates from other lattices."""

    flatten: bool = False
    resample: bool = False

    def read(self, path: Path, like: VoxelGrid | None = None) -> LabelVolume:
        """Read a label file on its own grid; raises the errors of `read_labels`, LabelError for an image."""
        found = read_labels(path, flatten=self.flatten, like=like)
        check_are_labels(found)
        return found

    def read_on(self, image: Volume, path: Path) -> LabelVolume:
        """Read a label file onto the grid of an image; raises the errors of `labels_on`, too."""
        return labels_on(image, self.read(path, image.grid), resample=self.resample)

    def to_json(self) -> dict[str, bool]:
        """What is allowed, under its name."""
        allowed = {"flatten": self.flatten, "resample": self.resample}
        return {name: True for name, is_allowed in allowed.items() if is_allowed}


AS_THEY_ARE = LabelReading()
