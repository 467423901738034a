"""Works side by side: results in order, threads shared out and given back, nobody waited for in vain."""

import threading
import time

import pytest
import torch

from sammed.assist.parallel import run_in_parallel


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_works(two_threads):
    first_may_end = threading.Event()

    def first(_stop):
        assert first_may_end.wait(10), "the second work was not done beside the first"
        return "first"

    def second(_stop):
        first_may_end.set()
        return "second"

    assert run_in_parallel([first, second], threads=2) == ["first", "second"]


def test_each_work_gets_its_share_of_the_threads_and_they_are_given_back(two_threads):
    assert run_in_parallel([lambda _: torch.get_num_threads()] * 2, threads=2) == [1, 1]
    assert torch.get_num_threads() == 2


def test_with_one_thread_the_works_are_done_in_turn():
    here = threading.get_ident()
    assert run_in_parallel([lambda _: threading.get_ident()] * 3, threads=1) == [here] * 3


def test_where_one_fails_the_others_are_told_to_stop(two_threads):
    told = threading.Event()

    def fails(_stop):
        raise ValueError("no good")

    def goes_on(stop):
        for _ in range(1000):
            if stop():
                told.set()
                return
            time.sleep(0.01)

    with pytest.raises(ValueError, match="no good"):
        run_in_parallel([goes_on, fails], threads=2)
    assert told.is_set(), "the other work ran to its end"
    assert torch.get_num_threads() == 2


def test_gradients_are_kept_in_every_work(two_threads):
    def gradient(_stop):
        value = torch.ones(1, requires_grad=True)
        torch.autograd.backward(value * 3)
        return value.grad.item()

    assert run_in_parallel([gradient, gradient], threads=2) == [3, 3]
