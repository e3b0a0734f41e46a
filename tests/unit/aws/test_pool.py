"""Threads for calls of an endpoint: as many as are needed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest
from kecs_server.aws.pool import Pool

PATIENCE = 20.0


def threads(pool: Pool) -> int:
    return sum(thread.name == pool._name for thread in threading.enumerate())


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    pool = Pool(f"pool-{request.node.name}", 2)
    yield pool
    pool.close()


def test_no_thread_without_a_job(pool: Pool) -> None:
    assert threads(pool) == 0


def test_jobs_run_side_by_side_up_to_the_limit(pool: Pool) -> None:
    both = threading.Barrier(3)
    for _ in range(2):
        pool.submit(lambda: both.wait(PATIENCE) and None)
    third = threading.Event()
    pool.submit(third.set)
    assert not third.is_set()
    both.wait(PATIENCE)
    assert third.wait(PATIENCE)
    assert threads(pool) == 2


def test_an_idle_thread_is_used_again(pool: Pool) -> None:
    for _ in range(5):
        done = threading.Event()
        pool.submit(done.set)
        assert done.wait(PATIENCE)
    assert threads(pool) <= 2


def test_a_job_that_fails_harms_no_other(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    with caplog.at_level(logging.ERROR):
        pool.submit(lambda: 1 // 0 and None)
        pool.submit(done.set)
        assert done.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while "ZeroDivisionError" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_nothing_begins_after_the_end(pool: Pool) -> None:
    ran = threading.Event()
    pool.close()
    pool.submit(ran.set)
    assert threads(pool) == 0
    assert not ran.is_set()
