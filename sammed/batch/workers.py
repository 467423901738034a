"""Labeling on workers: the volumes of a batch, shared among the processes of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from sammed.batch.cluster import ClusterConfig, Lost, run_on_workers
from sammed.batch.labeler import Label, Labeler, busy_item
from sammed.batch.ledger import Busy, Ledger, LedgerConfig
from sammed.batch.place import Place
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingItem
from sammed.batch.target import Target
from sammed.progress import Silent
from sammed_volumes.dicom.codes import NamedCode


class WorkersMaker(Protocol):
    """What workers have to know of `sammed.batch.labeling.Maker`."""

    @property
    def device(self) -> str:
        """auto, cpu, cuda, cuda:N or mps."""

    def load(self, place: Place | None) -> Label:
        """Load the model in the worker's place."""


@dataclass(frozen=True, slots=True)
class LabelerOpening:
    """Opens a labeler on a worker; the paths that it names are absolute, on a disk that all share."""

    maker: WorkersMaker
    config: LedgerConfig
    makes_folders: bool
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None

    def __call__(self, place: Place) -> Callable[[Target], LabelingItem | Busy]:
        """Load the model, and keep to the threads and the graphics card of this worker."""
        torch.set_num_threads(place.threads)
        labeler = Labeler(
            self.maker.load(place),
            Ledger(self.config),
            Silent(),
            self.makes_folders,
            self.fill_gaps,
            self.codes,
            self.spacing_mm,
        )
        return labeler.label


def label_on_workers(
    request: BatchRequest,
    maker: WorkersMaker,
    config: LedgerConfig,
    targets: Sequence[Target],
    makes_folders: bool,
) -> Generator[tuple[Target, LabelingItem], None, None]:
    """Label on the workers that the request names, and note it in the shared ledger.

    What another run was at is looked at once more when all else is done.
    """
    opening = LabelerOpening(
        maker,
        replace(config, manifest=config.manifest.absolute()),
        makes_folders,
        request.fill_gaps,
        request.codes,
        request.spacing_mm,
    )
    given = {
        replace(each, image=each.image.absolute(), output=each.output.absolute()): each for each in targets
    }
    cluster = ClusterConfig(
        workers=None if request.workers is None else min(request.workers, max(1, len(targets))),
        address=request.cluster,
        needs_gpu=maker.device.startswith("cuda"),
        gpus=torch.cuda.device_count() if maker.device in ("auto", "cuda") else 0,
    )
    try:
        with closing(run_on_workers(cluster, opening, list(given), _is_busy)) as results:
            for sent, found in results:
                yield given[sent], _as_given(given[sent], found)
    finally:
        Ledger(config).claims.tidy()


def _is_busy(found: object) -> bool:
    return isinstance(found, Busy)


def _as_given(target: Target, found: LabelingItem | Busy | Lost) -> LabelingItem:
    """The item with the paths that the user gave."""
    if isinstance(found, Lost):
        error = f"{target.image}: {found.reason}."
        return LabelingItem(image=target.image, output=None, status="failed", error=error)
    if isinstance(found, Busy):
        return busy_item(target, found)
    return replace(found, image=target.image, output=None if found.output is None else target.output)
