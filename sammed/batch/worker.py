"""The part of `sammed.batch.cluster` that runs on a worker of a Dask cluster."""

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
    """Loads the model for a worker's first volume and keeps it; a new worker loads its own.

    `workers` is the number of workers on this machine, which share its cores and its `gpus`; None if they
    were started elsewhere, each with its own resources.
    """

    def __init__(self, opener: Opener[Any, Any], workers: int | None, gpus: int) -> None:
        self._opener = opener
        self._workers = workers
        self._gpus = gpus

    async def setup(self, worker: Worker) -> None:
        """Register one slot for volumes; on a machine that workers share, bind to this worker's cores."""
        self._place = self._place_of(worker)
        self._guard = threading.Lock()
        self._work: Callable[[Any], Any] | None = None
        await worker.set_resources(**{SLOT: 1})

    def do(self, item: Any) -> Any:
        """Process one volume."""
        with self._guard:
            if self._work is None:
                self._work = self._opener(self._place)
            return self._work(item)

    def _place_of(self, worker: Worker) -> Place:
        if self._workers is None:
            return Place(worker.state.nthreads)
        with contextlib.suppress(ValueError):  # not in the main thread, so Ctrl-C does not reach it
            # Ctrl-C reaches every process of a terminal; the parent process stops this one.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        index, available = int(worker.name), cores()
        share = max(1, len(available) // self._workers)
        own = [available[(index * share + place) % len(available)] for place in range(share)]
        _keep_to(own)
        return Place(share, index % self._gpus if self._gpus else None)


def do(plugin: str, item: Any) -> Any:
    """Process one volume on whichever worker Dask runs this; the function travels by pickle."""
    opening = get_worker().plugins[plugin]
    assert isinstance(opening, WorkerOpening)
    return opening.do(item)


def _keep_to(own: Sequence[int]) -> None:
    """Bind all threads of this process to its own cores, where the system supports it.

    Threads that start later inherit this. Without it, libraries that pin threads all use the first core.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread may have ended, or the system may refuse
            os.sched_setaffinity(int(thread.name), own)
