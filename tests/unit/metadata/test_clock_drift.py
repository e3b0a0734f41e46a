"""What the kernel says of this machine's clock."""

from __future__ import annotations

import re
from typing import Any

import pytest
from kecs_server.metadata import clock


class Library:
    """A C library whose kernel says `status`."""

    def __init__(self, status: int, result: int = 0) -> None:
        self._status = status
        self._result = result

    def adjtimex(self, timex: Any) -> int:
        assert timex.raw == bytes(len(timex.raw))
        clock._TIMEX.pack_into(timex, 0, 0, 1, 2, 1500, 3, self._status)
        return self._result


def drift(monkeypatch: pytest.MonkeyPatch, library: Any) -> dict[str, Any]:
    monkeypatch.setattr(clock.ctypes, "CDLL", lambda name: library)
    return clock.clock_drift()


def test_a_clock_that_is_kept_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drift(monkeypatch, Library(0x2001))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seen.pop("ReferenceTimestamp"))
    assert seen == {"ClockErrorBound": 1.5, "ClockSynchronizationStatus": "SYNCHRONIZED"}


@pytest.mark.parametrize("library", [Library(0x40), Library(0, result=-1), object()])
def test_a_clock_that_is_not(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    assert drift(monkeypatch, library) == {"ClockSynchronizationStatus": "NOT_SYNCHRONIZED"}


def test_the_true_one() -> None:
    seen = clock.clock_drift()
    is_kept = seen["ClockSynchronizationStatus"] == "SYNCHRONIZED"
    assert is_kept == ("ClockErrorBound" in seen)
    # The kernel gives a clock up at 16 s.
    assert 0 <= seen.get("ClockErrorBound", 0) <= 16_000
