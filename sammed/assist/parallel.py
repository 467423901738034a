"""Run independent tasks in parallel threads."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Result = TypeVar("Result")

Stop = Callable[[], bool]
"""Returns whether a task should end early, because another one failed or the user interrupted."""


def run_in_parallel(tasks: Sequence[Callable[[Stop], Result]], threads: int) -> list[Result]:
    """Run the tasks and return their results in order; torch's `threads` are divided among them.

    Tensors as small as a mask decoder's leave torch's threads idle half of the time: two tasks with one
    thread each finish sooner than one after the other with two. With a single thread they run in turn.
    An exception of one task is raised here when the others have ended.
    """
    workers = min(len(tasks), threads)
    stopped = threading.Event()
    if workers <= 1:
        return [task(stopped.is_set) for task in tasks]
    share = threads // workers
    before = torch.get_num_threads()
    torch.set_num_threads(share)  # new threads begin with this number
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            return _all_or_none([pool.submit(task, stopped.is_set) for task in tasks], stopped)
    finally:
        torch.set_num_threads(before)


def _all_or_none(futures: Sequence[Future[Result]], stopped: threading.Event) -> list[Result]:
    try:
        ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in ended:
            future.result()  # raises the task's exception
        return [future.result() for future in futures]
    except BaseException:  # Ctrl-C too: nobody should wait for results that are thrown away
        stopped.set()
        raise
