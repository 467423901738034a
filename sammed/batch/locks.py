"""Locks: files that one process at a time holds, and that the system frees when the process dies.

On file systems without locks, filelock checks whether the process named in the file is alive.
"""

import contextlib
from pathlib import Path

from filelock import BaseFileLock, FileLock

_TRIES = 20


def take_lock(path: Path, timeout_s: float = 0.0) -> BaseFileLock:
    """Take a lock and hold it until `remove_lock` or the end of the process; create its folder if needed.

    Raises filelock.Timeout (an OSError) if another process holds it for longer than `timeout_s`, and other
    OSErrors if the system refuses.
    """
    # Not bound to a thread: one thread takes it and another releases it.
    lock = FileLock(path, thread_local=False)
    for remaining in reversed(range(_TRIES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=timeout_s)
            break
        except FileNotFoundError:  # another process has just removed the folder
            if not remaining:
                raise
    return lock


def remove_lock(lock: BaseFileLock) -> None:
    """Release a lock. The file is removed first, so that a process waiting for it creates a new one."""
    with contextlib.suppress(OSError):  # Windows does not remove an open file
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
