"""Labeling a batch: every volume of a request, here one after another or on the workers of a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol, TypeAlias

from sammed.batch.labeler import Label, Labeler, Opened, busy_item
from sammed.batch.ledger import Busy, Ledger, LedgerConfig, NoLedger
from sammed.batch.leftovers import remove_leftovers
from sammed.batch.manifest import Recipe
from sammed.batch.place import Place
from sammed.batch.read_ahead import read_ahead
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingItem, LabelingResult
from sammed.batch.target import Target
from sammed.batch.targets import Targets, find_targets
from sammed.batch.workers import label_on_workers
from sammed.progress import Reporter
from sammed.storage.outputs import is_folder, make_folder
from sammed_volumes.atomic_file import check_free

Work: TypeAlias = Generator[tuple[Target, LabelingItem], None, None]


class Maker(Protocol):
    """What makes labels, before its model is loaded; it travels to workers by pickle."""

    @property
    def recipe(self) -> Recipe:
        """What the labels depend on, for the manifest."""

    @property
    def device(self) -> str:
        """auto, cpu, cuda, cuda:N or mps."""

    def load(self, place: Place | None) -> Label:
        """Load the model, where a worker has its `place` there."""


def label_batch(request: BatchRequest, maker: Maker, reporter: Reporter) -> LabelingResult:
    """Label every image; a bad one is reported and the others are still done. Ctrl-C keeps what is done.

    Of a batch, what is done and unchanged is skipped, and what another process works on is left to it; see
    `sammed.batch.ledger`. A label volume that is there and not sammed's own is skipped, unless `overwrite`.
    A single image whose label volume is there is refused.
    """
    targets = find_targets(request, reporter)
    _check_single(request, targets)
    config = _ledger_config(request, maker.recipe, targets)
    for folder in {target.output.parent for target in targets.targets}:
        remove_leftovers(folder)
    makes_folders = request.output is not None and is_folder(request.output)
    if request.is_spread and config is not None:
        work = label_on_workers(request, maker, config, targets.targets, makes_folders)
        return _gather(work, targets.targets, reporter)
    ledger = NoLedger(request.overwrite) if config is None else Ledger(config)
    labeler = Labeler(
        maker.load(None),
        ledger,
        reporter,
        makes_folders,
        request.fill_gaps,
        request.codes,
        request.spacing_mm,
    )
    try:
        return _gather(_label_here(labeler, targets.targets), targets.targets, reporter)
    finally:
        ledger.tidy()


def _check_single(request: BatchRequest, targets: Targets) -> None:
    """Refuse a single image whose label volume is there before the model is loaded, which takes seconds."""
    if targets.manifest is None:
        for target in targets.targets:
            if target.output.exists():
                check_free(target.output, overwrite=request.overwrite)


def _ledger_config(request: BatchRequest, recipe: Recipe, targets: Targets) -> LedgerConfig | None:
    if targets.manifest is None:
        return None
    make_folder(targets.manifest.parent)
    config = LedgerConfig(
        manifest=targets.manifest,
        recipe=recipe,
        run=uuid.uuid4().hex,
        resume=not request.overwrite if request.resume is None else request.resume,
        overwrite=request.overwrite,
    )
    return replace(config, began_at=Ledger(config).manifest.size())


def _label_here(labeler: Labeler, targets: Sequence[Target]) -> Work:
    """Label in this process. What another process was at is looked at once more when all else is done."""
    waiting: list[Target] = []
    for target, found in _one_after_another(labeler, targets):
        if isinstance(found, Busy):
            waiting.append(target)
        else:
            yield target, found
    for target, found in _one_after_another(labeler, waiting):
        yield target, busy_item(target, found) if isinstance(found, Busy) else found


def _one_after_another(
    labeler: Labeler, targets: Sequence[Target]
) -> Iterator[tuple[Target, LabelingItem | Busy]]:
    """Each volume is labeled while the next one is read."""
    with closing(read_ahead(targets, labeler.read, labeler.drop)) as ready:
        for target, found in zip(targets, ready, strict=True):
            yield target, labeler.finish(found) if isinstance(found, Opened) else found


def _gather(work: Work, targets: Sequence[Target], reporter: Reporter) -> LabelingResult:
    """All items, in the order of the targets; those that there are when Ctrl-C comes."""
    items: dict[Target, LabelingItem] = {}
    interrupted = False
    with reporter.task("volumes", len(targets)) as task, closing(work):
        try:
            for target, item in work:
                items[target] = item
                task.advance()
        except KeyboardInterrupt:
            interrupted = True
    found = tuple(items[target] for target in targets if target in items)
    return LabelingResult(items=found, interrupted=interrupted)
