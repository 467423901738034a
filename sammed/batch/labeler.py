"""The labeler: one volume of a batch, from file to label volume. What is wrong with it stays its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from sammed.batch.ledger import Busy, Ledger, NoLedger, Passed, Taken
from sammed.batch.result import LabelingItem
from sammed.batch.target import Target
from sammed.embeddings.opening import open_volume
from sammed.errors import SammedError, naming
from sammed.progress import Reporter, Task
from sammed.storage.fingerprint import labels_digest
from sammed.storage.outputs import make_folder
from sammed.storage.provenance import Provenance, provenance_beside
from sammed_volumes.atomic_file import check_free
from sammed_volumes.dicom.codes import NamedCode
from sammed_volumes.dicom.segmentation_writing import check_can_hold_labels
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import DICOM_LABEL_SUFFIX, label_suffix_of, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume


class LabeledVolume(Protocol):
    """What is made of one volume: its labels, and where they come from."""

    @property
    def labels(self) -> LabelVolume:
        """Labels on the volume's own grid."""

    @property
    def axis(self) -> int:
        """The array axis that slices are counted along."""

    def provenance(self, image_file: str, image_sha256: str) -> Provenance:
        """Where the labels come from."""


Label: TypeAlias = Callable[[Volume, Reporter], LabeledVolume]
"""Labels a volume: what a skill, a student or whatever comes later does."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A volume that was read and is this process's to label; `seconds` is what reading took."""

    target: Target
    volume: Volume
    taken: Taken
    seconds: float


Ready: TypeAlias = Opened | LabelingItem | Busy


@dataclass(frozen=True, slots=True, eq=False)
class Labeler:
    """Reads, labels and writes volumes, and notes in the ledger what became of each.

    `makes_folders` says that the outputs' folders are the labeler's to make. `fill_gaps`, `codes`
    and `spacing_mm` are those of the `BatchRequest`.
    """

    make: Label
    ledger: Ledger | NoLedger
    reporter: Reporter
    makes_folders: bool
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None

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
                if self.makes_folders:
                    make_folder(target.output.parent)
                found = self.ledger.take(target)
                if isinstance(found, Busy):
                    return found
                if isinstance(found, Passed):
                    return self._passed(target, found)
                taken = found
                volume = open_volume(
                    target.image,
                    target.series,
                    self.reporter,
                    fill_gaps=self.fill_gaps,
                    spacing_mm=self.spacing_mm,
                )
                if label_suffix_of(target.output) == DICOM_LABEL_SUFFIX:
                    check_can_hold_labels(volume)
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
        """Let others take a volume that was read and is not needed."""
        if isinstance(ready, Opened):
            ready.taken.release()

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        """What becomes the error of a volume: in a batch anything, for the others are still to be done."""
        return (Exception,) if self.ledger.is_batch else (SammedError, VolumeError, OSError)

    def _label(self, opened: Opened) -> tuple[LabeledVolume, str]:
        """The labels, once they are written, and their digest."""
        target, taken = opened.target, opened.taken
        reporter = _OfVolume(self.reporter, target) if self.ledger.is_batch else self.reporter
        labeled = self.make(opened.volume, reporter)
        digest = labels_digest(labeled.labels.voxels)
        check_free(target.output, overwrite=taken.may_replace)
        self.ledger.writing(taken, digest)
        provenance = labeled.provenance(target.image.name, taken.image_sha256)
        # Labels without their provenance would pass for a person's.
        with provenance_beside(target.output, provenance, overwrite=True):
            write_labels(
                labeled.labels,
                target.output,
                like=opened.volume,
                overwrite=taken.may_replace,
                details=provenance.segment_details(self.codes),
            )
        return labeled, digest

    def _note(self, opened: Opened, digest: str, item: LabelingItem) -> None:
        try:
            self.ledger.done(
                opened.taken, digest, seconds=item.seconds, slices=item.slices, labels=item.labels
            )
        except VolumeError as error:  # the labels are there all the same
            self.reporter.message(f"{error} The next run will label {opened.target.image} again.")
        finally:
            opened.taken.release()

    def _passed(self, target: Target, passed: Passed) -> LabelingItem:
        if passed.is_failure:
            return LabelingItem(image=target.image, output=None, status="failed", error=passed.reason)
        if passed.entry is None or not self.ledger.was_done_now(passed):
            return _skipped(target, passed.reason)
        return LabelingItem(
            image=target.image,
            output=target.output,
            status="done",
            seconds=passed.entry.seconds,
            slices=passed.entry.slices,
            labels=passed.entry.labels,
        )

    def _failed(self, target: Target, taken: Taken | None, error: Exception, seconds: float) -> LabelingItem:
        said = _sentence(target, error)
        if taken is not None:
            try:
                self.ledger.failed(taken, said, seconds)
            except VolumeError as second:
                self.reporter.message(str(second))
            finally:
                taken.release()
        return LabelingItem(image=target.image, output=None, status="failed", seconds=seconds, error=said)


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


def busy_item(target: Target, busy: Busy) -> LabelingItem:
    """A volume that is left to another process."""
    return _skipped(target, f"It is in work by {busy.owner}.")


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
        return f"{target.image}: the memory doesn't suffice for it."
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{target.image}: this is a fault of sammed ({type(error).__name__}: {first})."
