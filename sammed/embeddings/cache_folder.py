"""Shelves: how the cache's entries lie on disk, how much room they take, and which go first.

    FOLDER/format                          the layout's version
    FOLDER/VOLUME/SLICE.safetensors        a shelf is the folder of one volume; both names are digests

A shelf's time of change says when it was last used. Only what has such names is ever removed: the folder may
be one that a person keeps other things in.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sammed_volumes.atomic_file import atomic_file

SUFFIX = ".safetensors"
LAYOUT = "1"
"""Raised when an older sammed could no longer find its way; entries have a version of their own."""

LEFTOVER_S = 3600  # writing an entry takes milliseconds: what is older was left by a process that was killed

_SHELF = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")
_LEFTOVER = re.compile(rf"\.partial-[0-9a-f]+{re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """One volume's entries: how many, how many bytes, and when one was last used (seconds since 1970)."""

    path: Path
    entries: int
    bytes: int
    used: float


def shelves(folder: Path) -> tuple[Shelf, ...]:
    """All shelves, the least recently used first; what another process takes away meanwhile is left out."""
    found = []
    for path in _inside(folder):
        if _SHELF.fullmatch(path.name):
            with suppress(OSError):
                found.append(_shelf(path))
    return tuple(sorted(found, key=lambda shelf: shelf.used))


def remove_shelf(path: Path) -> None:
    """Remove a shelf's entries, and the shelf if nothing else is in it; what can't be removed stays."""
    for file in _inside(path):
        if _ENTRY.fullmatch(file.name) or _LEFTOVER.fullmatch(file.name):
            with suppress(OSError):
                file.unlink()
    with suppress(OSError):
        path.rmdir()


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed had half written onto a shelf."""
    for file in _inside(path):
        if _LEFTOVER.fullmatch(file.name):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > LEFTOVER_S:
                    file.unlink()


def mark_used(path: Path) -> None:
    """Note that a shelf is in use now; on a disk that can't be written nothing is noted."""
    with suppress(OSError):
        os.utime(path)


def layout_of(folder: Path) -> str | None:
    """The version of the layout that a folder says it has; None of one that says nothing."""
    try:
        return (folder / "format").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_layout(folder: Path) -> None:
    """Make the folder and say its version, unless it says one."""
    folder.mkdir(parents=True, exist_ok=True)
    if layout_of(folder) is None:
        with atomic_file(folder / "format", "", overwrite=True) as partial:
            partial.write_text(LAYOUT + "\n", encoding="utf-8")


def remove_layout(folder: Path) -> None:
    """Remove the version, and the folder if nothing else is in it."""
    with suppress(OSError):
        (folder / "format").unlink()
    with suppress(OSError):
        folder.rmdir()


def _shelf(path: Path) -> Shelf:
    sizes = []
    for file in _inside(path):
        with suppress(FileNotFoundError):
            sizes.append(file.stat().st_size)
    return Shelf(path, len(sizes), sum(sizes), path.stat().st_mtime)


def _inside(path: Path) -> Iterator[Path]:
    """What is in a folder; nothing where there is no such folder or it can't be read."""
    try:
        with os.scandir(path) as found:
            yield from sorted(Path(each.path) for each in found)
    except OSError:
        return
