"""Claims: who works on which volume, so that several processes on one folder take different ones.

A claim is a locked file, and beside it a note of who has it. The claim of a process that died is free.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, Timeout

from sammed.batch.locks import remove_lock, take_lock
from sammed_volumes.errors import OutputError

CLAIMS_NAME = ".sammed-claims"


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """The right to work on one volume; it lasts until `release`, or as long as the process."""

    note: Path
    lock: BaseFileLock

    def release(self) -> None:
        """Let others take it."""
        self.note.unlink(missing_ok=True)
        remove_lock(self.lock)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims on the volumes of one folder of outputs; they lie in the hidden folder `folder`."""

    folder: Path

    def take(self, output: str) -> Claim | None:
        """Claim an output, None where a living process has it; OutputError where no claim can be written."""
        note = self._note(output)
        try:
            lock = take_lock(note.with_suffix(".lock"))
        except Timeout:
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self.folder} can't be written ({reason}), so nobody would know who works on what; "
                "free some space or choose another place."
            ) from error
        owner = {"pid": os.getpid(), "host": platform.node(), "output": output}
        with contextlib.suppress(OSError):  # the note is for people, the lock is what counts
            note.write_text(json.dumps(owner) + "\n", encoding="utf-8")
        return Claim(note, lock)

    def owner(self, output: str) -> str:
        """Who has an output, as words: "process 4711 on node3"."""
        try:
            said = json.loads(self._note(output).read_text(encoding="utf-8"))
            return f"process {said['pid']} on {said['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def tidy(self) -> None:
        """Remove what the dead have left, and the folder if nobody uses it."""
        for path in self.folder.glob("*.lock"):
            with contextlib.suppress(OSError):  # a living process has it, or was faster
                lock = take_lock(path)
                path.with_suffix(".json").unlink(missing_ok=True)
                remove_lock(lock)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _note(self, output: str) -> Path:
        return self.folder / f"{hashlib.sha256(output.encode()).hexdigest()[:20]}.json"
