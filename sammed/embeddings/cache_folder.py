"""The cache folder: how entries lie on disk, how much space they take, and which volumes go first.

    FOLDER/format                          the version of the layout
    FOLDER/VOLUME/SLICE.safetensors        an entry, in the folder of its volume; both names are digests

The modification time of a volume's folder is when it was last used. Only files and folders with such names
are ever removed, since the user may keep other things in FOLDER.
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
"""Raised when an older sammed could not use the folder; entries have a version of their own."""

LEFTOVER_S = 3600  # writing an entry takes milliseconds: the writer of an older file was killed

_VOLUME = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")
_LEFTOVER = re.compile(rf"\.partial-[0-9a-f]+{re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class CachedVolume:
    """The entries of one volume: their number, their bytes, and their last use (seconds since 1970)."""

    path: Path
    entries: int
    bytes: int
    used: float


def cached_volumes(folder: Path) -> tuple[CachedVolume, ...]:
    """Return all volumes in the cache, the least recently used first, except those removed meanwhile."""
    found = []
    for path in _inside(folder):
        if _VOLUME.fullmatch(path.name):
            with suppress(OSError):
                found.append(_measured(path))
    return tuple(sorted(found, key=lambda each: each.used))


def remove_cached(path: Path) -> None:
    """Remove a volume's entries, and its folder if it is then empty; ignore what can't be removed."""
    for file in _inside(path):
        if _ENTRY.fullmatch(file.name) or _LEFTOVER.fullmatch(file.name):
            with suppress(OSError):
                file.unlink()
    with suppress(OSError):
        path.rmdir()


def remove_leftovers(path: Path) -> None:
    """Remove the half-written entries of killed processes from a volume's folder."""
    for file in _inside(path):
        if _LEFTOVER.fullmatch(file.name):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > LEFTOVER_S:
                    file.unlink()


def mark_used(path: Path) -> None:
    """Note that a volume was used now; do nothing on a disk that can't be written."""
    with suppress(OSError):
        os.utime(path)


def layout_of(folder: Path) -> str | None:
    """Return the layout version that a folder states, None if it states none."""
    try:
        return (folder / "format").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_layout(folder: Path) -> None:
    """Create the folder and write its layout version, unless it states one."""
    folder.mkdir(parents=True, exist_ok=True)
    if layout_of(folder) is None:
        with atomic_file(folder / "format", "", overwrite=True) as partial:
            partial.write_text(LAYOUT + "\n", encoding="utf-8")


def remove_layout(folder: Path) -> None:
    """Remove the version file, and the folder if it is then empty."""
    with suppress(OSError):
        (folder / "format").unlink()
    with suppress(OSError):
        folder.rmdir()


def _measured(path: Path) -> CachedVolume:
    sizes = []
    for file in _inside(path):
        with suppress(FileNotFoundError):
            sizes.append(file.stat().st_size)
    return CachedVolume(path, len(sizes), sum(sizes), path.stat().st_mtime)


def _inside(path: Path) -> Iterator[Path]:
    """Yield what is in a folder; nothing if it does not exist or can't be read."""
    try:
        with os.scandir(path) as found:
            yield from sorted(Path(each.path) for each in found)
    except OSError:
        return
