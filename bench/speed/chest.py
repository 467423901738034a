"""The chest CT that pip installs, annotated."""

from dataclasses import dataclass

import numpy as np
from sammed.jobs.inputs import demo_pair
from sammed.jobs.training import annotate

from sammed.auto.annotations import Annotations
from sammed.embeddings.scan import Scan, open_scan
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.intensity import Window, auto_window
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """The volume, its slices through the window of the annotated region, and these annotated slices."""

    volume: Volume
    scan: Scan
    annotations: Annotations
    window: Window

    @property
    def count(self) -> int:
        """How many slices there are."""
        return self.scan.slicing.count


def chest_ct(
    slices: int = 5, labels: tuple[str, ...] = ("right lung", "left lung"), *, empty: bool = True
) -> Chest:
    """Slices spread evenly; with `empty` also those that show none of the labels."""
    pair = demo_pair()
    volume, truth = read_volume(pair.image), read_labels(pair.labels)
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)
    drawn = annotate(slicing, truth, truth.select(labels), slices=slices, draw="even")
    if not empty:
        rows = list(drawn.foreground)
        drawn = Annotations(tuple(drawn.indices[row] for row in rows), drawn.masks[rows], drawn.labels)
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[list(drawn.indices)] = drawn.masks > 0
    window = auto_window(volume, slicing, region)
    return Chest(volume, open_scan(volume, slicing, window), drawn, window)
