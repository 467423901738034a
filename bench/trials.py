"""Trials: a task of a case, annotated with one seed, and what is measured of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from cases import Case
from sammed.jobs.training import annotate

from sammed.auto.annotations import Annotations
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import configured
from sammed.embeddings.scan import Scan, open_scan
from sammed.metrics.evaluation import dice
from sammed_volumes.intensity import auto_window
from sammed_volumes.labels import Label
from sammed_volumes.slices import plan_slices


@dataclass(frozen=True, slots=True)
class Row:
    """One label of one case, learned with one seed, made in one way. `dice` is of all slices together."""

    table: str
    group: str
    case: str
    label: str
    way: str
    slices: int
    seed: int
    dice: float
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One task of one case, annotated and learned with one seed."""

    case: Case
    seed: int
    scan: Scan
    truth: np.ndarray  # S H W
    annotations: Annotations

    @property
    def others(self) -> np.ndarray:
        """Slices that were not annotated."""
        return np.setdiff1d(np.arange(len(self.truth)), self.annotations.indices)

    def scores(self, table: str, way: str, stack: np.ndarray, details: Mapping[int, str]) -> Iterator[Row]:
        """A row a label for labels S H W made in some way."""
        for label in self.annotations.labels:
            score = dice(stack[self.others] == label.value, self.truth[self.others] == label.value)
            yield self.row(table, label, way, score, details.get(label.value, ""))

    def row(self, table: str, label: Label, way: str, score: float, detail: str = "") -> Row:
        """One row of this trial."""
        name = dict(self.case.names)[label.value]
        slices = len(self.annotations.foreground)
        return Row(table, self.case.group, self.case.name, name, way, slices, self.seed, score, detail)


class Laboratory:
    """Makes trials; a case is encoded once for all seeds, through the window of its first seed's slices."""

    def __init__(self, backbone: Backbone, draw: str) -> None:
        self.backbone = backbone
        self.draw = draw
        self._cache = EmbeddingCache(configured())
        self._encoded: dict[tuple[str, tuple[int, ...]], tuple[Scan, object]] = {}

    def trial(self, case: Case, values: tuple[int, ...], seed: int, slices: int) -> tuple[Trial, object]:
        """Annotated slices of a task; and the window that it is shown through."""
        volume, labels = case.open()
        slicing = plan_slices(volume.shape, volume.affine_ras_mm)
        wanted = labels.select(values)
        annotations = annotate(slicing, labels, wanted, slices=slices, draw=self.draw, seed=seed)  # type: ignore[arg-type]
        key = (case.name, values)
        if key not in self._encoded:
            region = np.zeros(slicing.stack_shape, dtype=bool)
            region[list(annotations.indices)] = annotations.masks > 0
            window = auto_window(volume, slicing, region)
            scan = open_scan(volume, slicing, window)
            self._encoded = {key: (Scan(scan, self.backbone, cache=self._cache), window)}
        scan, window = self._encoded[key]
        return Trial(case, seed, scan, slicing.to_stack(labels.voxels), annotations), window
