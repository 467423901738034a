"""Reading ahead: one more than was asked for, never two."""

import threading

import pytest

from sammed.batch.read_ahead import read_ahead


def test_all_items_in_order() -> None:
    assert list(read_ahead(range(7), lambda item: item * item, print)) == [0, 1, 4, 9, 16, 25, 36]
    assert list(read_ahead([], str, print)) == []


def test_the_next_one_is_read_while_this_one_is_in_work() -> None:
    """And the one after it is not: memory holds two volumes, however many there are."""
    begun = [threading.Event() for _ in range(4)]

    def read(item: int) -> int:
        begun[item].set()
        return item

    ready = read_ahead(range(4), read, lambda _: None)
    assert next(ready) == 0
    assert begun[1].wait(10), "the second is read while the first is in work"
    assert not begun[2].wait(0.2)
    assert next(ready) == 1
    assert begun[2].wait(10)
    assert not begun[3].is_set()
    ready.close()


def test_what_was_read_in_vain_is_dropped() -> None:
    read, dropped = [], []
    ready = read_ahead(range(9), lambda item: read.append(item) or item, dropped.append)
    assert next(ready) == 0
    ready.close()
    assert dropped == read[1:]
    assert len(read) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_an_exception_comes_at_its_item_s_place() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    ready = read_ahead(range(9), read, print)
    assert [next(ready), next(ready)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(ready)
