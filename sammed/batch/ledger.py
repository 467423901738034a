"""The ledger of a folder: which volumes a process may label, and what is noted about each.

Manifest and claims together keep four promises: a volume that is labeled and unchanged is not labeled again;
no two processes label the same volume; a process that is killed loses only the volume that it was labeling;
and a label volume that somebody made or edited by hand is never replaced without permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from sammed.batch.claims import CLAIMS_NAME, Claim, Claims
from sammed.batch.manifest import Entry, Manifest, Recipe
from sammed.batch.target import Target
from sammed.storage.fingerprint import Fingerprint, fingerprint, labels_digest
from sammed.storage.provenance import check_label_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels

_UNREADABLE = Fingerprint("", "")
TRIES = 3


@dataclass(frozen=True, slots=True)
class Settled:
    """A volume that needs no work, or that was given up (`is_failure`).

    `entry` is its last line if this very run labeled it, by a worker that died before it returned.
    """

    reason: str
    entry: Entry | None = None
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """A volume that another process is labeling."""

    owner: str


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A volume that this process has claimed; `may_replace` allows it to replace the output.

    `claim` is None where no other process can take the volume.
    """

    entry: Entry
    claim: Claim | None
    may_replace: bool

    @property
    def image_sha256(self) -> str:
        """The digest of the image when the work began."""
        return self.entry.image_fingerprint.sha256

    def release(self) -> None:
        """Let other processes take it."""
        if self.claim is not None:
            self.claim.release()


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """The settings of a ledger, the same for all processes of one run.

    With `resume` the run skips volumes that are labeled and unchanged; without it, only those labeled since
    the file `manifest` was `began_at` bytes long. `overwrite` allows the run to replace all other outputs.
    `run` names this start of the command.
    """

    manifest: Path
    recipe: Recipe
    run: str
    resume: bool = True
    overwrite: bool = False
    began_at: int = 0


class Ledger:
    """The ledger as one process sees it; its files are shared with other processes."""

    is_batch = True

    def __init__(self, config: LedgerConfig) -> None:
        self.config = config
        self.root = config.manifest.parent
        self.claims = Claims(self.root / CLAIMS_NAME)
        self.manifest = Manifest(config.manifest, self.claims.folder / "manifest.lock")

    def take(self, target: Target) -> Taken | Settled | Busy:
        """Claim a volume, unless it is settled or another process is labeling it.

        Work on a taken volume ends with `done` or `failed`, and always with `release`. Raises OutputError if
        the manifest or the claims can't be written.
        """
        if settled := self._settled(target):
            return settled
        claim = self.claims.take(target.key(self.root))
        if claim is None:
            return Busy(self.claims.owner(target.key(self.root)))
        try:
            # Check again: another process may have labeled it before it released its claim.
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

    def made_otherwise(self, targets: Sequence[Target]) -> int:
        """Count the finished volumes that a run which resumes labels again, since their recipe differs."""
        entries = [self.manifest.last(target.key(self.root)) for target in targets if target.output.exists()]
        is_other = [each.status == "done" and each.recipe != self.config.recipe for each in entries if each]
        return sum(is_other) if self.config.resume else 0

    def writing(self, taken: Taken, digest: str) -> None:
        """Note the digest of labels before they are written: a file with this digest is sammed's own."""
        known = (*taken.entry.labels_sha256, digest)
        self.manifest.add(replace(taken.entry, status="writing", labels_sha256=known))

    def done(
        self, taken: Taken, digest: str, *, seconds: float, slices: int, labels: tuple[str, ...]
    ) -> None:
        """Note that the labels are written."""
        made = replace(taken.entry, status="done", labels_sha256=(digest,))
        self.manifest.add(replace(made, seconds=round(seconds, 3), slices=slices, labels=labels))

    def failed(self, taken: Taken, error: str, seconds: float) -> None:
        """Note that the volume failed, and why."""
        self.manifest.add(replace(taken.entry, status="failed", error=error, seconds=round(seconds, 3)))

    def tidy(self) -> None:
        """Remove what dead processes left behind."""
        self.claims.tidy()

    def _settled(self, target: Target) -> Settled | None:
        last = self.manifest.last(target.key(self.root))
        is_there = target.output.exists()
        if is_there and last is not None and last.status == "done" and self._is_current(target, last):
            reason = "It is labeled already; image, skill and options are the same."
            return Settled(reason, last if last.run == self.config.run else None)
        if is_there and not self.config.overwrite and not self._is_own(target, last):
            return Settled(f"{target.output} already exists.")
        return None

    def _is_current(self, target: Target, last: Entry) -> bool:
        counts = self.config.resume or self.manifest.is_since(last.output, self.config.began_at)
        if not counts or last.recipe != self.config.recipe or last.series != target.series:
            return False
        return _fingerprint(target, last).sha256 == last.image_fingerprint.sha256

    def _is_own(self, target: Target, last: Entry | None) -> bool:
        """Whether the output holds labels that sammed wrote, which a run that resumes may replace."""
        if last is None or not (
            self.config.resume or self.manifest.is_since(last.output, self.config.began_at)
        ):
            return False
        try:
            return labels_digest(read_labels(target.output).voxels) in last.labels_sha256
        except (VolumeError, OSError):
            return False

    def _start(self, target: Target, claim: Claim) -> Taken | Settled:
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
            reason = f"{target.image}: the process that labeled it died {TRIES} times, so it was given up."
            self.manifest.add(replace(entry, status="failed", error=reason))
            return Settled(reason, is_failure=True)
        self.manifest.add(entry)
        return Taken(entry, claim, may_replace=self.config.overwrite or target.output.exists())


@dataclass(frozen=True, slots=True)
class NoLedger:
    """Takes the place of a ledger for a single volume: notes nothing and keeps no process out."""

    overwrite: bool

    is_batch: ClassVar[bool] = False

    def take(self, target: Target) -> Taken | Settled | Busy:
        """Return the volume as taken; OutputError if its output exists and `overwrite` is False."""
        check_label_free(target.output, overwrite=self.overwrite)
        entry = Entry(
            output=str(target.output),
            image=str(target.image),
            series=target.series,
            status="started",
            recipe=Recipe("", {}),
            image_fingerprint=_fingerprint(target, None),
        )
        return Taken(entry, None, self.overwrite)

    def writing(self, taken: Taken, digest: str) -> None:
        """Do nothing."""

    def done(
        self, taken: Taken, digest: str, *, seconds: float, slices: int, labels: tuple[str, ...]
    ) -> None:
        """Do nothing."""

    def failed(self, taken: Taken, error: str, seconds: float) -> None:
        """Do nothing."""

    def tidy(self) -> None:
        """Do nothing."""


def _fingerprint(target: Target, last: Entry | None) -> Fingerprint:
    """Return the image's fingerprint, an empty one if it can't be read; reading the volume reports why."""
    try:
        return fingerprint(target.image, last.image_fingerprint if last else None)
    except OSError:
        return _UNREADABLE
