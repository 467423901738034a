"""Labeling on workers: the processes of a Dask cluster share the volumes of a batch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from sammed.batch.cluster import ClusterConfig, Lost, run_on_workers
from sammed.batch.labeler import Labeler, busy_item
from sammed.batch.ledger import Busy, Ledger, LedgerConfig
from sammed.batch.maker import Maker
from sammed.batch.place import Place
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingItem
from sammed.batch.target import Target
from sammed.progress import Silent


@dataclass(frozen=True, slots=True)
class LabelerOpening:
    """Opens a labeler on a worker; its paths are absolute and lie on a disk that all workers share."""

    maker: Maker
    config: LedgerConfig
    request: BatchRequest

    def __call__(self, place: Place) -> Callable[[Target], LabelingItem | Busy]:
        """Load the model, with the threads and the graphics card of this worker."""
        torch.set_num_threads(place.threads)
        return Labeler(self.maker.load(place), Ledger(self.config), Silent(), self.request).label


def label_on_workers(
    request: BatchRequest, maker: Maker, config: LedgerConfig, targets: Sequence[Target]
) -> Generator[tuple[Target, LabelingItem], None, None]:
    """Label on the workers that the request names, with a ledger that they share.

    Volumes that were busy are tried once more at the end.
    """
    opening = LabelerOpening(maker, replace(config, manifest=config.manifest.absolute()), request)
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
    """Return the item with the paths that the user gave."""
    if isinstance(found, Lost):
        error = f"{target.image}: {found.reason}."
        return LabelingItem(image=target.image, output=None, status="failed", error=error)
    if isinstance(found, Busy):
        return busy_item(target, found)
    return replace(found, image=target.image, output=None if found.output is None else target.output)
