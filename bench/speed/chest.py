"""The chest CT that pip installs, annotated."""

from dataclasses import dataclass, replace

from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import annotate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.opening import open_labels, open_volume
from sammed.embeddings.scan import Scan, open_scan
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair
from sammed_volumes.intensity import Window, auto_window
from sammed_volumes.labels import LabelVolume
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """The volume and its truth, these annotated slices, and the window that suits what they show."""

    volume: Volume
    truth: LabelVolume
    slicing: Slicing
    annotations: Annotations
    window: Window

    def scan(self, backbone: Backbone, cache: EmbeddingCache | None = None) -> Scan:
        """Return a scan of which no slice is encoded yet, except those that the cache has."""
        return open_scan(self.volume, backbone, window=self.window, cache=cache)

    def without_empty_slices(self) -> "Chest":
        """Return the same chest without the annotated slices that show no label."""
        found = self.annotations
        rows = range(len(found.indices))
        return replace(self, annotations=found.without(tuple(set(rows) - set(found.foreground))))


def chest_ct(slices: int = 5, labels: tuple[str, ...] = DEMO_LABELS) -> Chest:
    """Return the chest CT with `slices` annotated slices that show these labels, spread evenly."""
    pair = demo_pair()
    volume = open_volume(pair.image)
    truth = open_labels(pair.labels, volume)
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)
    annotations = annotate(slicing, truth, truth.select(labels), slices=slices, draw="even")
    window = auto_window(volume, slicing, annotations.region(slicing.count))
    return Chest(volume, truth, slicing, annotations, window)
