"""Atomic files: a file appears complete or not at all."""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sammed_volumes.errors import OutputError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's error codes for a full disk, a full quota and a file that is too large."""


@contextmanager
def atomic_file(path: Path, suffix: str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path ending in `suffix` next to `path`, and move the file to `path` on success.

    If the block raises, even on Ctrl-C, the temporary file is removed. Raises OutputError if `path` exists
    and `overwrite` is False, or if the system refuses (no such folder, no permission, disk full).
    """
    _check_name(path, overwrite=overwrite)
    partial = _name_beside(path, suffix)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless a file can be written at `path`; tests it with an empty file next to it.

    A job that takes an hour can thus fail at its start instead of its end.
    """
    _check_name(path, overwrite=overwrite)
    probe = _name_beside(path, "")
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _refused(path, error) from error


def _check_name(path: Path, *, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} can't be written: there is no folder {path.parent}; create it first.")
    if path.is_dir():
        raise OutputError(f"{path} can't be written: it is a folder; give the name of a file in it.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} already exists; choose another name or allow overwriting (--overwrite).")


def _name_beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".partial-{secrets.token_hex(4)}{suffix}")


def _refused(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    remedy = "free some space or choose" if error.errno in NO_SPACE else "choose"
    return OutputError(f"{path} can't be written ({reason}); {remedy} another place.")
