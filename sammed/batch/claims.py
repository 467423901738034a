"""Claims: which process works on which volume, so that processes on one folder take different volumes.

A claim is a locked file with a note of its owner next to it. The claim of a process that died is free.
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
from sammed_volumes.json_text import MALFORMED, parse_json

CLAIMS_NAME = ".sammed-claims"


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """The right to work on one volume, until `release` or the end of the process."""

    note: Path
    lock: BaseFileLock

    def release(self) -> None:
        """Let other processes take the volume."""
        self.note.unlink(missing_ok=True)
        remove_lock(self.lock)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims on the outputs of one folder, kept in the hidden folder `folder`."""

    folder: Path

    def take(self, output: str) -> Claim | None:
        """Claim an output, or return None if a living process holds it.

        Raises OutputError if the claim can't be written.
        """
        note = self._note(output)
        try:
            lock = take_lock(note.with_suffix(".lock"))
        except Timeout:
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self.folder} can't be written ({reason}), so processes can't share the work; "
                "free some space or choose another place."
            ) from error
        owner = {"pid": os.getpid(), "host": platform.node(), "output": output}
        with contextlib.suppress(OSError):  # only the lock matters, the note is for people
            note.write_text(json.dumps(owner) + "\n", encoding="utf-8")
        return Claim(note, lock)

    def owner(self, output: str) -> str:
        """Return the holder of an output in words, such as "process 4711 on node3"."""
        try:
            owner = parse_json(self._note(output).read_text(encoding="utf-8"))
            return f"process {owner['pid']} on {owner['host']}"
        except (OSError, *MALFORMED):
            return "another process"

    def tidy(self) -> None:
        """Remove the claims of dead processes, and the folder if it is then empty."""
        for path in self.folder.glob("*.lock"):
            with contextlib.suppress(OSError):  # a living process holds it or removed it first
                lock = take_lock(path)
                path.with_suffix(".json").unlink(missing_ok=True)
                remove_lock(lock)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _note(self, output: str) -> Path:
        return self.folder / f"{hashlib.sha256(output.encode()).hexdigest()[:20]}.json"
