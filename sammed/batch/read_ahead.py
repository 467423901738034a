"""Reading ahead: while one volume is in work, a thread reads the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Queue
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")

_PATIENCE_S = 30.0  # for a volume that is being read when its reader is no longer needed


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Read], drop: Callable[[Read], None]
) -> Generator[Read, None, None]:
    """What `read` makes of each item, in order; never more than one that nobody has asked for yet.

    Close the generator where it isn't used up: what was read in vain goes to `drop`. An exception of `read`
    is raised at the place of its item, and ends it.
    """
    place, stop = threading.Semaphore(1), threading.Event()
    ready: Queue[tuple[Read] | BaseException | None] = Queue()

    def work() -> None:
        try:
            for item in items:
                place.acquire()
                if stop.is_set():
                    return
                ready.put((read(item),))
            ready.put(None)
        except BaseException as error:  # to be raised where somebody hears it
            ready.put(error)

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        while (found := ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            place.release()
            yield found[0]
    finally:
        stop.set()
        place.release()
        thread.join(_PATIENCE_S)
        while not ready.empty():
            left = ready.get()
            if isinstance(left, tuple):
                drop(left[0])
