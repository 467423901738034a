"""The files of a folder and of those below it, each with the place that it has there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sammed.errors import ExportError
from sammed_volumes.formats import strip_suffix, suffix_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A file, or a folder that is one volume, and where it lies below the folder that was named.

    `place` has slashes and not the ending that names the format: "ward 3/anna".
    """

    path: Path
    place: str

    @property
    def seen(self) -> str:
        """The path as it reads from the folder that was named: "ward 3/anna.nii.gz"."""
        return str(PurePosixPath(self.place).with_name(self.path.name))


def files_below(root: Path, suffixes: Collection[str], *, without: Path | None = None) -> list[Placed]:
    """The files with these endings in a folder and below it, or the one file that was named.

    Hidden files and folders are passed over, and so is the folder `without`, if it lies there. Raises
    ExportError where there is nothing at `root`.
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
