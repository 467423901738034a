"""Files that appear whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sammed.errors import ExportError


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a name beside `path` to write to, and move that file to `path` when the block ends well.

    The temporary name keeps the ending of `path`; after an error or Ctrl-C nothing is left of it.
    Raises ExportError where `path` exists (unless `overwrite`) or the disk refuses.
    """
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists already; choose another name, or say that it may be overwritten.")
    partial = path.with_name(f".partial-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
