"""Reading ahead: one item more than was asked for, never two."""

import threading

import pytest

from sammed.batch.read_ahead import read_ahead


def test_all_items_in_order() -> None:
    assert list(read_ahead(range(7), lambda item: item * item, print)) == [0, 1, 4, 9, 16, 25, 36]
    assert list(read_ahead([], str, print)) == []


def test_the_next_item_is_read_while_this_one_is_processed() -> None:
    """The one after it is not: memory holds two volumes at most."""
    begun = [threading.Event() for _ in range(4)]

    def read(item: int) -> int:
        begun[item].set()
        return item

    ready = read_ahead(range(4), read, lambda _: None)
    assert next(ready) == 0
    assert begun[1].wait(10), "the second is read while the first is processed"
    assert not begun[2].wait(0.2)
    assert next(ready) == 1
    assert begun[2].wait(10)
    assert not begun[3].is_set()
    ready.close()


def test_what_was_read_for_nothing_is_dropped() -> None:
    read: list[int] = []
    dropped: list[int] = []

    def reading(item: int) -> int:
        read.append(item)
        return item

    ready = read_ahead(range(9), reading, dropped.append)
    assert next(ready) == 0
    ready.close()
    assert dropped == read[1:]
    assert len(read) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_an_exception_is_raised_in_place_of_its_item() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    ready = read_ahead(range(9), read, print)
    assert [next(ready), next(ready)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(ready)
