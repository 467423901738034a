"""Leftovers: half-written files of processes that were killed."""

import contextlib
import time
from pathlib import Path

OLD_S = 3600.0  # nothing takes so long to write: what is older has no writer any more


def remove_leftovers(folder: Path, older_than_s: float = OLD_S) -> None:
    """Remove what `sammed_volumes.atomic_file` had begun there and nobody will finish."""
    with contextlib.suppress(OSError):  # there may be no such folder yet, or another process tidies too
        for path in folder.glob(".partial-*"):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)
