"""The ledger of a folder: who may begin on a volume now, and what is noted about it.

Manifest and claims together keep four promises: what is done and unchanged is not done again; no two
processes do the same; a process that is killed costs the volume that it was at; and a label volume that a
person made or changed is never replaced unasked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from sammed.batch.claims import CLAIMS_NAME, Claim, Claims
from sammed.batch.manifest import Entry, Manifest, Recipe
from sammed.batch.target import Target
from sammed.storage.fingerprint import Fingerprint, fingerprint, labels_digest
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels

_UNREADABLE = Fingerprint("", "")
TRIES = 3


@dataclass(frozen=True, slots=True)
class Passed:
    """There is nothing to do, or nothing that can be done where `is_failure`; `entry` is what was noted."""

    reason: str
    entry: Entry | None = None
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """Another process works on it."""

    owner: str


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A volume that this process is to work on; `may_replace` says that its output may be written over."""

    entry: Entry
    claim: Claim | NoClaim
    may_replace: bool

    @property
    def image_sha256(self) -> str:
        """The digest of the image, as it was when the work began."""
        return self.entry.image_fingerprint.sha256

    def release(self) -> None:
        """Let others take it."""
        self.claim.release()


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """How a folder is gone through, the same for all processes of one run.

    `manifest` is its file. What is done and unchanged is passed with `resume`, and without it what was done
    since the manifest was `began_at` bytes long; `overwrite` lets all other outputs be replaced. `run` names
    this start of the command.
    """

    manifest: Path
    recipe: Recipe
    run: str
    resume: bool = True
    overwrite: bool = False
    began_at: int = 0


class Ledger:
    """One process's hold on it; the files are shared with others."""

    is_batch = True

    def __init__(self, config: LedgerConfig) -> None:
        self.config = config
        self.root = config.manifest.parent
        self.claims = Claims(self.root / CLAIMS_NAME)
        self.manifest = Manifest(config.manifest, self.claims.folder / "manifest.lock")

    def take(self, target: Target) -> Taken | Passed | Busy:
        """Begin on a volume, unless it is settled or another process is at it.

        A taken one ends with `done` or `failed`, and with `release` in any case. OutputError where manifest
        or claims can't be written.
        """
        if settled := self._settled(target):
            return settled
        claim = self.claims.take(target.key(self.root))
        if claim is None:
            return Busy(self.claims.owner(target.key(self.root)))
        try:
            # Once more: it may have been done before the claim was free.
            settled = self._settled(target)
            if settled is None:
                taken = self._start(target, claim)
                if isinstance(taken, Taken):
                    return taken
                settled = taken
        except BaseException:
            claim.release()
            raise
        claim.release()
        return settled

    def writing(self, taken: Taken, digest: str) -> None:
        """Note which labels are about to be written: a file that has them is sammed's own."""
        known = (*taken.entry.labels_sha256, digest)
        self.manifest.add(replace(taken.entry, status="writing", labels_sha256=known))

    def done(
        self, taken: Taken, digest: str, *, seconds: float, slices: int, labels: tuple[str, ...]
    ) -> None:
        """Note that labels are in place."""
        made = replace(taken.entry, status="done", labels_sha256=(digest,))
        self.manifest.add(replace(made, seconds=round(seconds, 3), slices=slices, labels=labels))

    def failed(self, taken: Taken, error: str, seconds: float) -> None:
        """Note that there are none, and why."""
        self.manifest.add(replace(taken.entry, status="failed", error=error, seconds=round(seconds, 3)))

    def was_done_now(self, passed: Passed) -> bool:
        """Whether it was done in this very run, by a worker that died before it could say so."""
        return passed.entry is not None and passed.entry.run == self.config.run

    def tidy(self) -> None:
        """Remove what dead processes have left."""
        self.claims.tidy()

    def _settled(self, target: Target) -> Passed | None:
        last = self.manifest.last(target.key(self.root))
        is_there = target.output.exists()
        if is_there and last is not None and last.status == "done" and self._is_current(target, last):
            return Passed("It is labeled already; image, skill and options are the same.", last)
        if is_there and not self.config.overwrite and not self._is_own(target, last):
            return Passed(f"{target.output} exists already.")
        return None

    def _is_current(self, target: Target, last: Entry) -> bool:
        counts = self.config.resume or self.manifest.is_since(last.output, self.config.began_at)
        if not counts or last.recipe != self.config.recipe or last.series != target.series:
            return False
        return _fingerprint(target, last).sha256 == last.image_fingerprint.sha256

    def _is_own(self, target: Target, last: Entry | None) -> bool:
        """Whether the output holds what sammed wrote, so that a run that resumes may replace it."""
        if last is None or not (
            self.config.resume or self.manifest.is_since(last.output, self.config.began_at)
        ):
            return False
        try:
            return labels_digest(read_labels(target.output).voxels) in last.labels_sha256
        except (VolumeError, OSError):
            return False

    def _start(self, target: Target, claim: Claim) -> Taken | Passed:
        key = target.key(self.root)
        last = self.manifest.last(key)
        entry = Entry(
            output=key,
            image=str(target.image),
            series=target.series,
            status="started",
            recipe=self.config.recipe,
            image_fingerprint=_fingerprint(target, last),
            labels_sha256=last.labels_sha256 if last else (),
            run=self.config.run,
        )
        if self.manifest.starts(key, self.config.run) >= TRIES:
            reason = f"{target.image}: the process that worked on it died {TRIES} times, so it was given up."
            self.manifest.add(replace(entry, status="failed", error=reason))
            return Passed(reason, is_failure=True)
        self.manifest.add(entry)
        return Taken(entry, claim, may_replace=self.config.overwrite or target.output.exists())


class NoClaim:
    """In place of a claim on a volume that nobody else works on."""

    def release(self) -> None:
        """There is nothing to give back."""


@dataclass(frozen=True, slots=True)
class NoLedger:
    """In place of a ledger where a single volume is labeled: nothing is noted, nobody is kept away."""

    overwrite: bool

    is_batch: ClassVar[bool] = False

    def take(self, target: Target) -> Taken | Passed | Busy:
        """Begin on the volume; OutputError where its output is there and may not be replaced."""
        check_free(target.output, overwrite=self.overwrite)
        entry = Entry(
            output=str(target.output),
            image=str(target.image),
            series=target.series,
            status="started",
            recipe=Recipe("", {}),
            image_fingerprint=_fingerprint(target, None),
        )
        return Taken(entry, NoClaim(), self.overwrite)

    def writing(self, taken: Taken, digest: str) -> None:
        """Note nothing."""

    def done(
        self, taken: Taken, digest: str, *, seconds: float, slices: int, labels: tuple[str, ...]
    ) -> None:
        """Note nothing."""

    def failed(self, taken: Taken, error: str, seconds: float) -> None:
        """Note nothing."""

    def was_done_now(self, passed: Passed) -> bool:  # noqa: ARG002
        """Nothing is ever passed."""
        return False

    def tidy(self) -> None:
        """Nothing is left."""


def _fingerprint(target: Target, last: Entry | None) -> Fingerprint:
    """What the image holds; an empty one where it can't be read: whoever reads the volume says why."""
    try:
        return fingerprint(target.image, last.image_fingerprint if last else None)
    except OSError:
        return _UNREADABLE
