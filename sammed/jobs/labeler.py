"""The labeler: one volume of a batch, from file to label volume. What is wrong with it stays its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sammed.backbones.backbone import Backbone
from sammed.batch.fingerprint import labels_digest
from sammed.batch.ledger import Busy, Ledger, Passed, Taken
from sammed.batch.targets import Target
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import SammedError
from sammed.jobs.inputs import naming, open_volume
from sammed.jobs.outputs import is_folder, make_folder
from sammed.jobs.requests import LabelingRequest
from sammed.jobs.results import LabelingItem
from sammed.progress import Reporter, Task
from sammed.skills.inference import Labeled, label_volume
from sammed.skills.model import Skill
from sammed.storage.provenance import Provenance, provenance_beside, sha256_of
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import write_labels
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A volume that was read; `taken` is its place in the ledger of a batch, `seconds` what reading took."""

    target: Target
    volume: Volume
    taken: Taken | None
    seconds: float


Ready: TypeAlias = Opened | LabelingItem | Busy


@dataclass(frozen=True, slots=True, eq=False)
class Labeler:
    """What every image is labeled with. `ledger` is None for a single image, which no one else works on."""

    request: LabelingRequest
    skill: Skill
    digest: str
    backbone: Backbone
    cache: EmbeddingCache | None
    ledger: Ledger | None
    reporter: Reporter

    def label(self, target: Target) -> LabelingItem | Busy:
        """Read, label and write one volume."""
        ready = self.read(target)
        return self.finish(ready) if isinstance(ready, Opened) else ready

    def read(self, target: Target) -> Ready:
        """Take a volume and read it; an item says that there is no more to do, and why."""
        started = time.perf_counter()
        taken: Taken | None = None
        try:
            with naming(target.image):
                self._make_folder(target)
                if self.ledger is None:
                    check_free(target.output, overwrite=self.request.overwrite)
                else:
                    found = self.ledger.take(target)
                    if not isinstance(found, Taken):
                        return self._passed(target, found) if isinstance(found, Passed) else found
                    taken = found
                volume = open_volume(target.image, target.series, self.reporter)
        except self._faults as error:
            return self._failed(target, taken, error, time.perf_counter() - started)
        return Opened(target, volume, taken, time.perf_counter() - started)

    def finish(self, opened: Opened) -> LabelingItem:
        """Label a volume that was read, and write its labels."""
        started = time.perf_counter() - opened.seconds
        try:
            with naming(opened.target.image):
                labeled = self._label(opened)
        except self._faults as error:
            return self._failed(opened.target, opened.taken, error, time.perf_counter() - started)
        except BaseException:
            self.drop(opened)
            raise
        item = _done(opened.target, labeled, time.perf_counter() - started)
        self._note(opened, labeled, item)
        return item

    def drop(self, ready: Ready) -> None:
        """Let others take a volume that was read in vain."""
        if self.ledger is not None and isinstance(ready, Opened) and ready.taken is not None:
            ready.taken.claim.release()

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        """What becomes the error of a volume: in a batch anything, for the others are still to be done."""
        return (SammedError, VolumeError, OSError) if self.ledger is None else (Exception,)

    def _make_folder(self, target: Target) -> None:
        if self.request.output is not None and is_folder(self.request.output):
            make_folder(target.output.parent)

    def _label(self, opened: Opened) -> Labeled:
        labeled = label_volume(
            opened.volume,
            self.skill,
            self.backbone,
            generator=self.request.generator,
            reporter=self.reporter if self.ledger is None else _OfVolume(self.reporter, opened.target),
            cache=self.cache,
        )
        target, overwrite = opened.target, self.request.overwrite
        if self.ledger is not None and opened.taken is not None:
            overwrite = opened.taken.may_replace
            check_free(target.output, overwrite=overwrite)
            self.ledger.writing(opened.taken, labels_digest(labeled.labels.voxels))
        # Labels without their provenance would pass for a person's.
        with provenance_beside(target.output, self._provenance(target, labeled), overwrite=True):
            write_labels(labeled.labels, target.output, like=opened.volume, overwrite=overwrite)
        return labeled

    def _note(self, opened: Opened, labeled: Labeled, item: LabelingItem) -> None:
        if self.ledger is None or opened.taken is None:
            return
        digest = labels_digest(labeled.labels.voxels)
        try:
            self.ledger.done(
                opened.taken, digest, seconds=item.seconds, slices=item.slices, labels=item.labels
            )
        except VolumeError as error:  # the labels are there all the same
            self.reporter.message(f"{error} The next run will label {opened.target.image} again.")
        finally:
            opened.taken.claim.release()

    def _passed(self, target: Target, passed: Passed) -> LabelingItem:
        if passed.is_failure:
            return LabelingItem(image=target.image, output=None, status="failed", error=passed.reason)
        entry = passed.entry
        if entry is None or self.ledger is None or entry.run != self.ledger.config.run:
            return _skipped(target, passed.reason)
        # Done in this very run, by a worker that died before it could say so.
        return LabelingItem(
            image=target.image,
            output=target.output,
            status="done",
            seconds=entry.seconds,
            slices=entry.slices,
            labels=entry.labels,
        )

    def _failed(self, target: Target, taken: Taken | None, error: Exception, seconds: float) -> LabelingItem:
        said = _sentence(target, error)
        if self.ledger is not None and taken is not None:
            try:
                self.ledger.failed(taken, said, seconds)
            except VolumeError as second:
                self.reporter.message(str(second))
            finally:
                taken.claim.release()
        return LabelingItem(image=target.image, output=None, status="failed", seconds=seconds, error=said)

    def _provenance(self, target: Target, labeled: Labeled) -> Provenance:
        scores = {
            label.name: score
            for label in labeled.labels.labels
            if (score := labeled.agreement[label.value]) is not None
        }
        return Provenance(
            image_file=target.image.name,
            image_sha256=sha256_of(target.image),
            origin="pseudo",
            axis=labeled.axis,
            annotated_slices=labeled.annotated,
            method=f"sam_auto/{self.request.generator}",
            skill_digest=self.digest,
            backbone=self.backbone.name,
            scores=scores,
        )


@dataclass(frozen=True, slots=True)
class _OfVolume:
    """The reporter of a batch, to which every task is one of this volume."""

    reporter: Reporter
    target: Target

    def message(self, text: str) -> None:
        self.reporter.message(text)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        with self.reporter.task(f"{self.target.image.name}: {name}", total) as task:
            yield task


def in_work(target: Target, busy: Busy) -> LabelingItem:
    """A volume that is left to another process."""
    return _skipped(target, f"It is in work by {busy.owner}.")


def _skipped(target: Target, reason: str) -> LabelingItem:
    return LabelingItem(image=target.image, output=target.output, status="skipped", error=reason)


def _done(target: Target, labeled: Labeled, seconds: float) -> LabelingItem:
    counts = labeled.labels.voxel_counts()
    axes = tuple(axis for axis in range(3) if axis != labeled.axis)
    return LabelingItem(
        image=target.image,
        output=target.output,
        status="done",
        seconds=seconds,
        slices=int(np.count_nonzero(labeled.labels.voxels.any(axis=axes))),
        labels=tuple(each.name for each in labeled.labels.labels if counts[each.value]),
    )


def _sentence(target: Target, error: Exception) -> str:
    if isinstance(error, SammedError | VolumeError | OSError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        return f"{target.image}: the memory doesn't suffice for it."
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{target.image}: this is a fault of sammed ({type(error).__name__}: {first})."
