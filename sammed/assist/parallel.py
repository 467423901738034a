"""Works that don't wait for each other, done side by side in threads."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Result = TypeVar("Result")

Stop = Callable[[], bool]
"""Says whether a work should end before its time, for another has failed or the user has had enough."""


def side_by_side(works: Sequence[Callable[[Stop], Result]], threads: int) -> list[Result]:
    """What the works return, in their order; torch's `threads` are shared out among them.

    Tensors as small as a mask decoder's leave torch's threads idle half of the time: two works with one
    thread each end sooner than one after the other with two. With a single thread they are done in turn.
    What one raises is raised here when the others have ended.
    """
    workers = min(len(works), threads)
    stopped = threading.Event()
    if workers <= 1:
        return [work(stopped.is_set) for work in works]
    share = threads // workers
    before = torch.get_num_threads()
    torch.set_num_threads(share)  # new threads begin with this number
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            return _all_or_none([pool.submit(work, stopped.is_set) for work in works], stopped)
    finally:
        torch.set_num_threads(before)


def _all_or_none(futures: Sequence[Future[Result]], stopped: threading.Event) -> list[Result]:
    try:
        ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in ended:
            future.result()  # raises what it raised
        return [future.result() for future in futures]
    except BaseException:  # Ctrl-C too: nobody should wait for what will be thrown away
        stopped.set()
        raise
