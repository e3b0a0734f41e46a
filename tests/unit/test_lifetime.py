"""How long a server lives, and that no end is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from types import FrameType

import pytest
from kecs_server.lifetime import Lifetime

Make = Callable[..., Lifetime]
PATIENCE = 20.0


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a lifetime as `Lifetime` does."""
    with ExitStack() as made:
        yield lambda *given: made.enter_context(closing(Lifetime(*given)))


@pytest.fixture
def signalled(make: Make) -> Iterator[Lifetime]:
    """A lifetime that SIGUSR1 ends."""
    lifetime = make(None, None)

    def on_signal(number: int, frame: FrameType | None) -> None:
        lifetime.stop("a signal")

    before = signal.signal(signal.SIGUSR1, on_signal)
    lifetime.heed_signals()
    yield lifetime
    signal.signal(signal.SIGUSR1, before)


def test_an_end_that_came_before_the_wait(make: Make) -> None:
    lifetime = make(None, None)
    lifetime.stop("told to")
    lifetime.stop("told again")
    assert lifetime.wait() == "told to"


def test_a_lease_that_is_over_and_one_that_is_renewed(make: Make) -> None:
    lifetime = make(None, 0.01)
    assert lifetime.wait() == "the lease is over"
    lifetime.renew(None, None)
    assert lifetime.remaining() is None
    timer = threading.Timer(0.02, lifetime.renew, (None, 0.01))
    timer.start()
    assert lifetime.wait() == "the lease is over"
    timer.join()


def test_the_owner_is_gone(make: Make) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lifetime = make(owner.pid, None)
        assert owner.stdin is not None
        owner.stdin.close()
        assert lifetime.wait() == f"the owner, process {owner.pid}, is gone"


def test_a_signal_at_any_moment(signalled: Lifetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also between the look at what has come and the wait for more."""
    remaining = signalled.remaining

    def remaining_and_signal() -> float | None:
        os.kill(os.getpid(), signal.SIGUSR1)
        return remaining()

    monkeypatch.setattr(signalled, "remaining", remaining_and_signal)
    assert signalled.wait() == "a signal"


def test_a_signal_that_another_thread_gets(signalled: Lifetime) -> None:
    """As one does that the system delivers just before the main thread waits: it wakes no lock."""
    over = threading.Event()

    def get_it() -> None:
        time.sleep(0.02)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        over.wait(PATIENCE)

    thread = threading.Thread(target=get_it)
    thread.start()
    began = time.monotonic()
    assert signalled.wait() == "a signal"
    assert time.monotonic() - began < PATIENCE / 2
    over.set()
    thread.join()
