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
