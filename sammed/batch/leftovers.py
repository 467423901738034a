"""Leftovers: half-written files of killed processes."""

import contextlib
import time
from pathlib import Path

OLD_S = 3600.0  # no write takes this long: the writer of an older file is dead


def remove_leftovers(folder: Path, older_than_s: float = OLD_S) -> None:
    """Remove old files that `sammed_volumes.atomic_file` began to write in a folder and never finished."""
    with contextlib.suppress(
        OSError
    ):  # the folder may not exist yet, or another process removes the same files
        for path in folder.glob(".partial-*"):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)
