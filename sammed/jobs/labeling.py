"""Labeling: images and folders of images to label volumes, with a skill, one after another."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TypeAlias

from sammed.batch.ledger import Busy, Ledger, LedgerConfig
from sammed.batch.leftovers import remove_leftovers
from sammed.batch.manifest import Recipe
from sammed.batch.reading import read_ahead
from sammed.batch.targets import Target
from sammed.jobs.caching import cache_for
from sammed.jobs.inputs import naming
from sammed.jobs.labeler import Labeler, Opened, in_work
from sammed.jobs.machine import backbone_for
from sammed.jobs.outputs import make_folder
from sammed.jobs.requests import LabelingRequest
from sammed.jobs.results import LabelingItem, LabelingResult
from sammed.jobs.targets import Targets, find_targets
from sammed.progress import Reporter, Silent
from sammed.skills.model import Skill
from sammed.skills.model_file import load_skill, skill_digest
from sammed_volumes.atomic_file import check_free

Work: TypeAlias = Generator[tuple[Target, LabelingItem], None, None]


def label(request: LabelingRequest, reporter: Reporter) -> LabelingResult:
    """Label every image; a bad one is reported and the others are still done. Ctrl-C keeps what is done.

    Of a batch, what is done and unchanged is passed, and what another process works on is left to it; see
    `sammed.batch.ledger`. A label volume that is there and not sammed's own is skipped, unless `overwrite`.
    A single image whose label volume is there is refused.
    """
    skill = load_skill(request.skill)
    with naming(request.skill):
        skill.require_auto()
    targets = find_targets(request, reporter)
    _check_single(request, targets)
    config = _ledger_config(request, targets)
    for folder in {target.output.parent for target in targets.targets}:
        remove_leftovers(folder)
    if request.is_spread and config is not None:
        from sammed.jobs.spreading import label_on_workers

        return _gather(label_on_workers(request, config, targets.targets), targets.targets, reporter)
    labeler = open_labeler(request, skill, config, reporter)
    try:
        return _gather(_label_here(labeler, targets.targets), targets.targets, reporter)
    finally:
        if labeler.ledger is not None:
            labeler.ledger.claims.tidy()


def _check_single(request: LabelingRequest, targets: Targets) -> None:
    """Refuse a single image whose label volume is there before the model is loaded, which takes seconds."""
    if targets.manifest is None:
        for target in targets.targets:
            if target.output.exists():
                check_free(target.output, overwrite=request.overwrite)


def open_labeler(
    request: LabelingRequest, skill: Skill, config: LedgerConfig | None, reporter: Reporter | None = None
) -> Labeler:
    """The labeler of a request, its model loaded; for a batch with a hold on the ledger."""
    backbone = backbone_for(request, skill.backbone)
    with naming(request.skill):
        skill.check_backbone(backbone)
    return Labeler(
        request,
        skill,
        skill_digest(request.skill),
        backbone,
        cache_for(request),
        None if config is None else Ledger(config),
        reporter or Silent(),
    )


def _ledger_config(request: LabelingRequest, targets: Targets) -> LedgerConfig | None:
    if targets.manifest is None:
        return None
    make_folder(targets.manifest.parent)
    settings = {"generator": request.generator, "precision": request.precision}
    config = LedgerConfig(
        manifest=targets.manifest,
        recipe=Recipe(skill_digest(request.skill), settings),
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
        yield target, in_work(target, found) if isinstance(found, Busy) else found


def _one_after_another(
    labeler: Labeler, targets: Sequence[Target]
) -> Iterator[tuple[Target, LabelingItem | Busy]]:
    """Each volume is labeled while the next one is read."""
    if labeler.ledger is None:
        yield from ((target, labeler.label(target)) for target in targets)
        return
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
