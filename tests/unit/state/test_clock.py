"""The clock of a test's environment."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime

import pytest
from kecs_server.state.clock import LATEST
from kecs_server.state.clock import Clock


@pytest.mark.parametrize(
    ("seconds", "why"), [(-1.0, "forward only"), (1e12, "beyond the year 9000")]
)
def test_where_a_clock_does_not_go(seconds: float, why: str) -> None:
    clock = Clock()
    clock.advance(100.0)
    before = clock.now()
    with pytest.raises(ValueError, match=why):
        clock.advance(seconds)
    assert before <= clock.now() < before + 60


def test_how_far_a_clock_goes() -> None:
    clock = Clock()
    clock.advance(LATEST - clock.now() - 1000)
    assert datetime.fromtimestamp(clock.now(), UTC).year == 8999


def test_a_clock_that_stands_still() -> None:
    clock = Clock(manual=True)
    before = clock.now()
    assert clock.now() == before
    assert clock.seconds_until(before + 5) is None
    clock.advance(5)
    assert clock.now() == before + 5
    assert clock.seconds_until(before + 5) == 0


def test_how_long_a_clock_takes() -> None:
    clock = Clock()
    left = clock.seconds_until(clock.now() + 100)
    assert left is not None
    assert 0 < left <= 100
    assert clock.seconds_until(clock.now() - 1) == 0
