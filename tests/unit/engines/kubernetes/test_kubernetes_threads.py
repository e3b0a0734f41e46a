"""The pool that keeps order, and the timers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from threading import Barrier
from threading import Event
from time import monotonic

import pytest
from kecs_server.engines.kubernetes.ordered import OrderedPool
from kecs_server.engines.kubernetes.timers import Timers

SECONDS = 5.0


@pytest.fixture
def pool() -> Iterator[OrderedPool]:
    pool = OrderedPool("test", 4)
    yield pool
    pool.close(SECONDS)


def test_jobs_of_one_key_keep_their_order(pool: OrderedPool) -> None:
    done: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    ends = {key: Event() for key in done}
    for number in range(200):
        for key, numbers in done.items():
            pool.submit(key, partial(numbers.append, number))
    for key, end in ends.items():
        pool.submit(key, end.set)

    assert all(end.wait(SECONDS) for end in ends.values())
    assert all(numbers == list(range(200)) for numbers in done.values())


def test_jobs_of_different_keys_run_side_by_side(pool: OrderedPool) -> None:
    together = Barrier(3)

    def meet() -> None:
        together.wait(SECONDS)

    for key in "ab":
        pool.submit(key, meet)

    together.wait(SECONDS)


def test_a_job_that_fails_does_not_hold_up_the_next(
    pool: OrderedPool, caplog: pytest.LogCaptureFixture
) -> None:
    done = Event()
    pool.submit("a", lambda: [][0])
    pool.submit("a", done.set)

    assert done.wait(SECONDS)
    assert "IndexError" in caplog.text


def test_closing_forgets_what_has_not_begun() -> None:
    pool = OrderedPool("test", 1)
    begun, go, never = Event(), Event(), Event()

    def first() -> None:
        begun.set()
        go.wait(SECONDS)

    pool.submit("a", first)
    assert begun.wait(SECONDS)
    pool.submit("a", never.set)
    go.set()
    pool.close(SECONDS)
    pool.submit("a", never.set)

    assert not never.is_set()


def test_timers_go_off_in_their_order() -> None:
    timers = Timers("test")
    seen: list[str] = []
    end = Event()
    begin = monotonic()

    timers.after(0.1, end.set)
    timers.after(0.05, lambda: seen.append("later"))
    timers.after(0, lambda: seen.append("now"))
    timers.after(100, lambda: seen.append("never"))

    assert end.wait(SECONDS)
    assert monotonic() - begin >= 0.1
    timers.close()
    assert seen == ["now", "later"]
