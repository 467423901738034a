"""The labeler: one volume of a batch, from image file to label file. An error fails only its own volume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sammed.batch.ledger import Busy, Ledger, NoLedger, Settled, Taken
from sammed.batch.maker import LabeledVolume, MakeLabels
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingItem
from sammed.batch.target import Target
from sammed.embeddings.opening import open_volume
from sammed.errors import SammedError, naming
from sammed.progress import Reporter, Task
from sammed.storage.fingerprint import labels_digest
from sammed.storage.outputs import make_folder
from sammed.storage.provenance import check_label_free, provenance_beside
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import check_can_hold, write_labels
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A volume that this process has claimed and read; `seconds` is the time that reading took."""

    target: Target
    volume: Volume
    taken: Taken
    seconds: float


Ready: TypeAlias = Opened | LabelingItem | Busy


@dataclass(frozen=True, slots=True, eq=False)
class Labeler:
    """Reads, labels and writes the volumes of a request, and notes the outcome of each in the ledger."""

    make: MakeLabels
    ledger: Ledger | NoLedger
    reporter: Reporter
    request: BatchRequest

    def label(self, target: Target) -> LabelingItem | Busy:
        """Read, label and write one volume."""
        ready = self.read(target)
        return self.finish(ready) if isinstance(ready, Opened) else ready

    def read(self, target: Target) -> Ready:
        """Claim a volume and read it; return an item if there is nothing left to do, Busy if it is taken."""
        started = time.perf_counter()
        taken: Taken | None = None
        try:
            with naming(target.image):
                if self.request.creates_folders:
                    make_folder(target.output.parent)
                found = self.ledger.take(target)
                if isinstance(found, Busy):
                    return found
                if isinstance(found, Settled):
                    return self._settled(target, found)
                taken = found
                volume = open_volume(
                    target.image,
                    target.series,
                    self.reporter,
                    fill_gaps=self.request.fill_gaps,
                    spacing_mm=self.request.spacing_mm,
                )
                check_can_hold(target.output, volume)
        except self._faults as error:
            return self._failed(target, taken, error, time.perf_counter() - started)
        return Opened(target, volume, taken, time.perf_counter() - started)

    def finish(self, opened: Opened) -> LabelingItem:
        """Label a volume that was read, and write its labels."""
        started = time.perf_counter() - opened.seconds
        try:
            with naming(opened.target.image):
                labeled, digest = self._label(opened)
        except self._faults as error:
            return self._failed(opened.target, opened.taken, error, time.perf_counter() - started)
        except BaseException:
            self.drop(opened)
            raise
        item = _done(opened.target, labeled, time.perf_counter() - started)
        self._note(opened, digest, item)
        return item

    def drop(self, ready: Ready) -> None:
        """Let other processes take a volume that was read for nothing."""
        if isinstance(ready, Opened):
            ready.taken.release()

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        """The exceptions that fail one volume: in a batch all, so that the others are still labeled."""
        return (Exception,) if self.ledger.is_batch else (SammedError, VolumeError, OSError)

    def _label(self, opened: Opened) -> tuple[LabeledVolume, str]:
        """Make the labels and write them; return them with their digest."""
        target, taken = opened.target, opened.taken
        reporter = _OfVolume(self.reporter, target) if self.ledger.is_batch else self.reporter
        labeled = self.make(opened.volume, reporter)
        digest = labels_digest(labeled.labels.voxels)
        check_label_free(target.output, overwrite=taken.may_replace)
        self.ledger.writing(taken, digest)
        provenance = labeled.provenance(target.image.name, taken.image_sha256)
        # Labels without provenance would count as made by hand.
        with provenance_beside(target.output, provenance, overwrite=True):
            write_labels(
                labeled.labels,
                target.output,
                like=opened.volume,
                overwrite=taken.may_replace,
                details=provenance.label_details(self.request.codes),
            )
        return labeled, digest

    def _note(self, opened: Opened, digest: str, item: LabelingItem) -> None:
        try:
            self.ledger.done(
                opened.taken, digest, seconds=item.seconds, slices=item.slices, labels=item.labels
            )
        except VolumeError as error:  # the labels themselves are written
            self.reporter.message(f"{error} The next run will label {opened.target.image} again.")
        finally:
            opened.taken.release()

    def _settled(self, target: Target, settled: Settled) -> LabelingItem:
        if settled.is_failure:
            return LabelingItem(image=target.image, output=None, status="failed", error=settled.reason)
        if settled.entry is None:
            return _skipped(target, settled.reason)
        return LabelingItem(
            image=target.image,
            output=target.output,
            status="done",
            seconds=settled.entry.seconds,
            slices=settled.entry.slices,
            labels=settled.entry.labels,
        )

    def _failed(self, target: Target, taken: Taken | None, error: Exception, seconds: float) -> LabelingItem:
        sentence = _sentence(target, error)
        if taken is not None:
            try:
                self.ledger.failed(taken, sentence, seconds)
            except VolumeError as second:
                self.reporter.message(str(second))
            finally:
                taken.release()
        return LabelingItem(image=target.image, output=None, status="failed", seconds=seconds, error=sentence)


@dataclass(frozen=True, slots=True)
class _OfVolume:
    """The reporter of a batch; each task is named after this volume."""

    reporter: Reporter
    target: Target

    def message(self, text: str) -> None:
        self.reporter.message(text)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        with self.reporter.task(f"{self.target.image.name}: {name}", total) as task:
            yield task


def busy_item(target: Target, busy: Busy) -> LabelingItem:
    """Return the item of a volume that another process has claimed."""
    return _skipped(target, f"It is being processed by {busy.owner}.")


def _skipped(target: Target, reason: str) -> LabelingItem:
    return LabelingItem(image=target.image, output=target.output, status="skipped", error=reason)


def _done(target: Target, labeled: LabeledVolume, seconds: float) -> LabelingItem:
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
        return f"{target.image}: there is not enough memory for it."
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{target.image}: this is a bug in sammed ({type(error).__name__}: {first})."
