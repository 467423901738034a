"""The labels of a request: read as its options say, and placed on its image."""

from pathlib import Path
from typing import Protocol

from sammed.embeddings.opening import open_labels
from sammed.progress import Reporter
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume


class LabelOptions(Protocol):
    """What a request specifies about reading labels, see `open_labels`."""

    @property
    def flatten(self) -> bool:
        """Whether later segments win over earlier ones."""

    @property
    def colors(self) -> bool:
        """Whether each color of a picture is a label."""

    @property
    def resample(self) -> bool:
        """Whether labels on another lattice are interpolated."""


def open_marks(labels: Path, volume: Volume, options: LabelOptions, reporter: Reporter) -> LabelVolume:
    """Return the labels on the volume's grid; raises the errors of `open_labels`."""
    return open_labels(
        labels,
        volume,
        flatten=options.flatten,
        colors=options.colors,
        resample=options.resample,
        reporter=reporter,
    )
