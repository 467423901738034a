"""Reading ahead: a thread reads the next volume while the current one is labeled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Queue
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")

_PATIENCE_S = 30.0  # how long to wait for a volume that is still being read at the end


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Read], drop: Callable[[Read], None]
) -> Generator[Read, None, None]:
    """Yield the result of `read` for each item, in order, at most one result ahead of the caller.

    Close the generator if it is not exhausted: a result that was read for nothing goes to `drop`. An
    exception in `read` is raised in place of its item and ends the generator.
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
        except BaseException as error:  # raised in the caller's thread
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
