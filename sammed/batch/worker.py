"""What happens on a worker of a Dask cluster: see `sammed.batch.cluster`."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from sammed.batch.place import SLOT, Opener, Place, cores


class WorkerOpening(WorkerPlugin):
    """Opens the work when the worker has its first volume, and keeps it; a worker that is new gets its own.

    `workers` are those of this machine, which share its cores and its `gpus`; None where each was given its
    own by whoever started it.
    """

    def __init__(self, opener: Opener[Any, Any], workers: int | None, gpus: int) -> None:
        self._opener = opener
        self._workers = workers
        self._gpus = gpus

    async def setup(self, worker: Worker) -> None:
        """Say what this worker can take; on a machine that workers share, keep to its own cores."""
        self._place = self._place_of(worker)
        self._guard = threading.Lock()
        self._work: Callable[[Any], Any] | None = None
        await worker.set_resources(**{SLOT: 1})

    def do(self, item: Any) -> Any:
        """Work on one volume."""
        with self._guard:
            if self._work is None:
                self._work = self._opener(self._place)
            return self._work(item)

    def _place_of(self, worker: Worker) -> Place:
        if self._workers is None:
            return Place(worker.state.nthreads)
        with contextlib.suppress(ValueError):  # not in the main thread, so in nobody's terminal
            # Ctrl-C reaches all processes of a terminal; the one that started this one stops it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        index, available = int(worker.name), cores()
        share = max(1, len(available) // self._workers)
        own = [available[(index * share + place) % len(available)] for place in range(share)]
        _keep_to(own)
        return Place(share, index % self._gpus if self._gpus else None)


def do(plugin: str, item: Any) -> Any:
    """The task that travels: one volume for the opened work of whichever worker has it."""
    opening = get_worker().plugins[plugin]
    assert isinstance(opening, WorkerOpening)
    return opening.do(item)


def _keep_to(own: Sequence[int]) -> None:
    """Bind all threads to these cores, where the system knows how: others that compute keep to theirs.

    Threads that start later inherit it; without it, libraries that pin their threads all take the first core.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread may have ended, or the system may not allow it
            os.sched_setaffinity(int(thread.name), own)
