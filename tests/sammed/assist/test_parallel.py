"""Tasks in parallel: results in order, threads divided and given back, no waiting for a failed task."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from sammed.assist.parallel import Stop, run_in_parallel


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_tasks(two_threads: None) -> None:
    first_may_end = threading.Event()

    def first(_stop: Stop) -> str:
        assert first_may_end.wait(10), "the second task did not run in parallel with the first"
        return "first"

    def second(_stop: Stop) -> str:
        first_may_end.set()
        return "second"

    assert run_in_parallel([first, second], threads=2) == ["first", "second"]


def test_each_task_gets_its_share_of_the_threads_and_they_are_given_back(two_threads: None) -> None:
    assert run_in_parallel([lambda _: torch.get_num_threads()] * 2, threads=2) == [1, 1]
    assert torch.get_num_threads() == 2


def test_with_one_thread_the_tasks_run_in_turn() -> None:
    here = threading.get_ident()
    assert run_in_parallel([lambda _: threading.get_ident()] * 3, threads=1) == [here] * 3


def test_where_one_fails_the_others_are_stopped(two_threads: None) -> None:
    stopped = threading.Event()

    def fails(_stop: Stop) -> None:
        raise ValueError("no good")

    def goes_on(stop: Stop) -> None:
        for _ in range(1000):
            if stop():
                stopped.set()
                return
            time.sleep(0.01)

    with pytest.raises(ValueError, match="no good"):
        run_in_parallel([goes_on, fails], threads=2)
    assert stopped.is_set(), "the other task ran to its end"
    assert torch.get_num_threads() == 2


def test_gradients_are_kept_in_every_task(two_threads: None) -> None:
    def gradient(_stop: Stop) -> float:
        value = torch.ones(1, requires_grad=True)
        torch.autograd.backward(value * 3)
        assert value.grad is not None
        return value.grad.item()

    assert run_in_parallel([gradient, gradient], threads=2) == [3, 3]
