"""The files of a folder and its subfolders, each with its place there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sammed.errors import ExportError
from sammed_volumes.formats import strip_suffix, suffix_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A file, or a folder that is one volume, and its place below the given folder.

    `place` has slashes and no ending of a format: "ward 3/anna".
    """

    path: Path
    place: str

    @property
    def seen(self) -> str:
        """The path relative to the given folder: "ward 3/anna.nii.gz"."""
        return str(PurePosixPath(self.place).with_name(self.path.name))


def files_below(root: Path, suffixes: Collection[str], *, without: Path | None = None) -> list[Placed]:
    """Return the files with these endings in a folder and its subfolders, or the one given file.

    Skips hidden files and folders, and the folder `without`. Raises ExportError where `root` does not exist.
    """
    if root.is_file():
        return [Placed(root, strip_suffix(root))]
    if not root.is_dir():
        raise ExportError(f"There is no file or folder {root}.")
    return [
        Placed(path, (path.parent.relative_to(root) / strip_suffix(path)).as_posix())
        for folder in _folders(root, without)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and suffix_of(path) in suffixes
    ]


def _folders(root: Path, without: Path | None) -> Iterator[Path]:
    closed = None if without is None else without.resolve()
    for top, names, _files in os.walk(root):
        folder = Path(top)
        names[:] = sorted(
            name for name in names if not name.startswith(".") and (folder / name).resolve() != closed
        )
        yield folder
