"""How long a server lives, and that no end is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

import pytest
from kecs_server.lifetime import Lifetime

PATIENCE = 20.0


def test_an_end_that_came_before_the_wait() -> None:
    lifetime = Lifetime(None, None)
    lifetime.stop("told to")
    lifetime.stop("told again")
    assert lifetime.wait() == "told to"


def test_a_lease_that_is_over_and_one_that_is_renewed() -> None:
    lifetime = Lifetime(None, 0.01)
    assert lifetime.wait() == "the lease is over"
    lifetime.renew(None, None)
    assert lifetime.remaining() is None
    timer = threading.Timer(0.02, lifetime.renew, (None, 0.01))
    timer.start()
    assert lifetime.wait() == "the lease is over"
    timer.join()


def test_the_owner_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lifetime = Lifetime(owner.pid, None)
        assert owner.stdin is not None
        owner.stdin.close()
        assert lifetime.wait() == f"the owner, process {owner.pid}, is gone"


def test_a_signal_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also between the look at what has come and the wait for more."""
    lifetime = Lifetime(None, None)

    def on_signal(number: int, frame: FrameType | None) -> None:
        lifetime.stop("a signal")

    remaining = lifetime.remaining

    def remaining_and_signal() -> float | None:
        os.kill(os.getpid(), signal.SIGUSR1)
        return remaining()

    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        monkeypatch.setattr(lifetime, "remaining", remaining_and_signal)
        assert lifetime.wait() == "a signal"
    finally:
        signal.signal(signal.SIGUSR1, before)
