"""Trials: a task of a case, annotated with one seed, and the rows that it yields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt

from bench.accuracy.cases import Case
from bench.accuracy.rows import Row
from bench.rows import current_commit
from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import Draw, annotate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.opening import open_labels, open_volume
from sammed.embeddings.scan import Scan, open_scan
from sammed.metrics.evaluation import dice
from sammed_volumes.labels import Label, LabelVolume

AS_IN_THE_PAPER = " (slices sampled as in the paper)"


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One task of one case, annotated and learned with one seed. `draw` is how its slices were sampled."""

    case: Case
    seed: int
    draw: Draw
    scan: Scan
    truth: UInt[np.ndarray, "S H W"]
    annotations: Annotations

    @property
    def others(self) -> Int64[np.ndarray, " U"]:
        """Slices that were not annotated."""
        return np.setdiff1d(np.arange(len(self.truth)), self.annotations.indices)

    def scores(
        self, table: str, way: str, stack: UInt[np.ndarray, "S H W"], details: Mapping[int, str] | None = None
    ) -> Iterator[Row]:
        """Yield a row for each label of a labeled stack; `details` are by label value."""
        for label in self.annotations.labels:
            score = dice(stack[self.others] == label.value, self.truth[self.others] == label.value)
            yield self.row(table, label, way, score, (details or {}).get(label.value, ""))

    def scores_between_and_beyond(
        self, table: str, way: str, stack: UInt[np.ndarray, "S H W"]
    ) -> Iterator[Row]:
        """Yield rows for the slices between those that show a label, and for the slices beyond them."""
        for label in self.annotations.labels:
            found, truth = stack == label.value, self.truth == label.value
            between, beyond = self._split(label)
            yield self.row(table, label, f"{way}, between", float(dice(found[between], truth[between])))
            if truth[beyond].any():
                yield self.row(table, label, f"{way}, beyond", float(dice(found[beyond], truth[beyond])))

    def _split(self, label: Label) -> tuple[Int64[np.ndarray, " b"], Int64[np.ndarray, " o"]]:
        rows = self.annotations.showing(label)
        first, last = self.annotations.indices[rows[0]], self.annotations.indices[rows[-1]]
        is_between = (self.others > first) & (self.others < last)
        return self.others[is_between], self.others[~is_between]

    def row(self, table: str, label: Label, way: str, score: float, detail: str = "") -> Row:
        """Return one row of this trial."""
        return Row(
            table=table,
            group=self.case.group,
            folder=self.case.folder,
            label=dict(self.case.names)[label.value],
            way=way if self.draw == "even" else way + AS_IN_THE_PAPER,
            slices=len(self.annotations.foreground),
            seed=self.seed,
            dice=round(score, 6),
            detail=detail,
            commit=current_commit(),
        )

    def is_measured(self, table: str, rows: list[Row]) -> bool:
        """Whether these rows have those of this trial, with slices sampled in the same way."""
        as_in_the_paper = self.draw != "even"
        known = {row.task for row in rows if row.way.endswith(AS_IN_THE_PAPER) == as_in_the_paper}
        return any(self.row(table, label, "", 0.0).task in known for label in self.annotations.labels)


class Laboratory:
    """Makes trials. A case is encoded once for all seeds, through the window of its first seed's slices."""

    def __init__(self, backbone: Backbone, cache: EmbeddingCache | None, draw: Draw) -> None:
        self._backbone = backbone
        self._cache = cache
        self._draw = draw
        self._opened: dict[tuple[Case, tuple[int, ...]], tuple[Scan, LabelVolume]] = {}

    def trial(self, case: Case, values: tuple[int, ...], seed: int, slices: int) -> Trial:
        """Return a task of a case with `slices` annotated slices."""
        key = (case, values)
        is_new = key not in self._opened
        scan, labels = self._open(case) if is_new else self._opened[key]
        annotations = annotate(
            scan.slicing, labels, labels.select(values), slices=slices, draw=self._draw, seed=seed
        )
        if is_new:
            scan = scan.through_window_of(annotations.region(scan.slicing.count))
            self._opened = {key: (scan, labels)}  # one at a time, for the memory
        truth = scan.slicing.to_stack(labels.voxels)
        return Trial(case, seed, self._draw, scan, truth, annotations)

    def _open(self, case: Case) -> tuple[Scan, LabelVolume]:
        volume = open_volume(case.image)
        return open_scan(volume, self._backbone, cache=self._cache), open_labels(case.labels, volume)
