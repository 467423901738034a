"""Locks: files that one process at a time holds, and that the system frees when it dies, however it dies.

On file systems without locks filelock looks whether the process that the file names is alive.
"""

import contextlib
from pathlib import Path

from filelock import BaseFileLock, FileLock

_TRIES = 20


def take_lock(path: Path, timeout_s: float = 0.0) -> BaseFileLock:
    """Hold a lock, until `remove_lock` or the end of the process; the folder is made if need be.

    Raises filelock.Timeout, which is an OSError, where another has it for longer than `timeout_s`, and other
    OSErrors where the system refuses.
    """
    # Taken in one thread and given back in another: not bound to a thread.
    lock = FileLock(path, thread_local=False)
    for remaining in reversed(range(_TRIES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=timeout_s)
            break
        except FileNotFoundError:  # another process tidied the folder away in this very moment
            if not remaining:
                raise
    return lock


def remove_lock(lock: BaseFileLock) -> None:
    """Let others have it. The file goes first: whoever waits for it finds it gone and makes a new one."""
    with contextlib.suppress(OSError):  # Windows keeps a file that is open
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
