"""Labeling on workers: the same job as in `sammed.jobs.labeling`, by the processes of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sammed.batch.cluster import ClusterConfig, Lost, Place, run_on_workers
from sammed.batch.ledger import Busy, Ledger, LedgerConfig
from sammed.batch.targets import Target
from sammed.jobs.labeler import in_work
from sammed.jobs.requests import LabelingRequest
from sammed.jobs.results import LabelingItem
from sammed.skills.model_file import load_skill


@dataclass(frozen=True, slots=True)
class LabelerOpening:
    """Opens a labeler on a worker; everything that it names is an absolute path on a disk that all share."""

    request: LabelingRequest
    config: LedgerConfig

    def __call__(self, place: Place) -> Callable[[Target], LabelingItem | Busy]:
        """Load skill and model, and keep to the threads and the graphics card of this worker."""
        from sammed.jobs.labeling import open_labeler

        torch.set_num_threads(place.threads)
        request = self.request
        if place.gpu is not None and request.device in ("auto", "cuda"):
            request = replace(request, device=f"cuda:{place.gpu}")
        return open_labeler(request, load_skill(request.skill), self.config).label


def label_on_workers(
    request: LabelingRequest, config: LedgerConfig, targets: Sequence[Target]
) -> Generator[tuple[Target, LabelingItem], None, None]:
    """Label on the workers that the request names, and note it in the shared ledger.

    What another run was at is looked at once more when all else is done.
    """
    opening = LabelerOpening(_absolute(request), replace(config, manifest=config.manifest.absolute()))
    given = {
        replace(each, image=each.image.absolute(), output=each.output.absolute()): each for each in targets
    }
    cluster = ClusterConfig(
        workers=None if request.workers is None else min(request.workers, max(1, len(targets))),
        address=request.cluster,
        needs_gpu=request.device.startswith("cuda"),
        gpus=torch.cuda.device_count() if request.device in ("auto", "cuda") else 0,
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
        return in_work(target, found)
    return replace(found, image=target.image, output=None if found.output is None else target.output)


def _absolute(request: LabelingRequest) -> LabelingRequest:
    """The same request for a process that may stand in another folder."""

    def absolute(path: Path | None) -> Path | None:
        return None if path is None else path.absolute()

    return replace(
        request,
        skill=request.skill.absolute(),
        output=absolute(request.output),
        checkpoint=absolute(request.checkpoint),
    )
