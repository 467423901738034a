"""Labeling a batch: every volume of a request, in this process or on the workers of a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TypeAlias

from sammed.batch.labeler import Labeler, Opened, busy_item
from sammed.batch.ledger import Busy, Ledger, LedgerConfig, NoLedger
from sammed.batch.leftovers import remove_leftovers
from sammed.batch.maker import Maker
from sammed.batch.manifest import Recipe
from sammed.batch.read_ahead import read_ahead
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingItem, LabelingResult
from sammed.batch.target import Target
from sammed.batch.targets import Targets, find_targets
from sammed.batch.workers import label_on_workers
from sammed.progress import Reporter
from sammed.storage.outputs import make_folder
from sammed_volumes.atomic_file import check_free

Work: TypeAlias = Generator[tuple[Target, LabelingItem], None, None]


def label_batch(request: BatchRequest, maker: Maker, reporter: Reporter) -> LabelingResult:
    """Label every image; one that fails is reported and does not stop the others. Ctrl-C keeps what is done.

    A batch skips images that are labeled and unchanged, images that another process is labeling, and, unless
    `overwrite`, images whose label volume sammed did not write; see `sammed.batch.ledger`. A single image
    whose label volume exists raises OutputError instead.
    """
    targets = find_targets(request, reporter)
    _check_single(request, targets)
    config = _ledger_config(request, _recipe(request, maker), targets)
    if config is not None:
        _say_what_changed(Ledger(config), targets.targets, reporter)
    for folder in {target.output.parent for target in targets.targets}:
        remove_leftovers(folder)
    if request.is_spread and config is not None:
        work = label_on_workers(request, maker, config, targets.targets)
        return _gather(work, targets.targets, reporter)
    ledger = NoLedger(request.overwrite) if config is None else Ledger(config)
    labeler = Labeler(maker.load(None), ledger, reporter, request)
    try:
        return _gather(_label_here(labeler, targets.targets), targets.targets, reporter)
    finally:
        ledger.tidy()


def _check_single(request: BatchRequest, targets: Targets) -> None:
    """Raise OutputError for a single image whose label volume exists, before the model is loaded."""
    if targets.manifest is None:
        for target in targets.targets:
            if target.output.exists():
                check_free(target.output, overwrite=request.overwrite)


def _recipe(request: BatchRequest, maker: Maker) -> Recipe:
    """What the labels depend on: the maker, and how the volumes are read."""
    return replace(maker.recipe, settings={**maker.recipe.settings, **request.reading})


def _say_what_changed(ledger: Ledger, targets: Sequence[Target], reporter: Reporter) -> None:
    changed = ledger.made_otherwise(targets)
    if changed:
        reporter.message(
            f"{changed} of {len(targets)} volumes were labeled with another skill or other options; "
            "they are labeled again."
        )


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
    """Label in this process; volumes that were busy are tried once more at the end."""
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
    """Label each volume while the next one is read."""
    with closing(read_ahead(targets, labeler.read, labeler.drop)) as ready:
        for target, found in zip(targets, ready, strict=True):
            yield target, labeler.finish(found) if isinstance(found, Opened) else found


def _gather(work: Work, targets: Sequence[Target], reporter: Reporter) -> LabelingResult:
    """Collect the items in the order of the targets; Ctrl-C ends it with those that are done."""
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
