"""Makers: what labels the volumes of a batch, before its model is loaded and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from sammed.batch.manifest import Recipe
from sammed.batch.place import Place
from sammed.progress import Reporter
from sammed.storage.provenance import Provenance
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume


class LabeledVolume(Protocol):
    """The labels of one volume, and where they come from."""

    @property
    def labels(self) -> LabelVolume:
        """Labels on the volume's own grid."""

    @property
    def axis(self) -> int:
        """The array axis that slices are counted along."""

    def provenance(self, image_file: str, image_sha256: str) -> Provenance:
        """Where the labels come from."""


MakeLabels: TypeAlias = Callable[[Volume, Reporter], LabeledVolume]
"""Labels one volume."""


class Maker(Protocol):
    """A skill, a student or whatever else labels volumes; it travels to workers by pickle."""

    @property
    def recipe(self) -> Recipe:
        """What the labels depend on, for the manifest."""

    @property
    def device(self) -> str:
        """auto, cpu, cuda, cuda:N or mps."""

    def load(self, place: Place | None) -> MakeLabels:
        """Load the model: in the `place` of a worker, or with None in this process."""
