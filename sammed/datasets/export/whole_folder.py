"""A folder that appears complete or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sammed.errors import ExportError
from sammed.storage.outputs import folder_for_output


@contextmanager
def whole_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder next to `path`; move it to `path` when the block succeeds, else remove it.

    `path` may be an empty folder. Raises ExportError where it is anything else (unless `overwrite`) and for
    errors of the disk. The caller checks that what exists may be overwritten.
    """
    if path.exists() and not overwrite and not _is_empty_folder(path):
        raise ExportError(f"{path} already exists; choose another folder or allow overwriting (--overwrite).")
    partial = path.with_name(f".partial-{uuid.uuid4().hex[:8]}-{path.name}")
    with folder_for_output(path.parent):
        try:
            partial.mkdir()
            yield partial
            _swap(partial, path)
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise ExportError(f"{path} can't be written: {error.strerror or error}{place}.") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _swap(partial: Path, path: Path) -> None:
    """Move `partial` to `path`; remove the old folder only once the new one is in place."""
    if not path.exists():
        partial.rename(path)
        return
    old = path.with_name(f".old-{uuid.uuid4().hex[:8]}-{path.name}")
    path.rename(old)
    try:
        partial.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)
