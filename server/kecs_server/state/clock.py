"""A realm's clock: real time, plus whatever a test has advanced it by."""

from __future__ import annotations

import time


class Clock:
    """Epoch seconds. Advancing never goes back."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """:raises ValueError: `seconds` is negative."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward only, not by {seconds} s")
        self._offset += seconds
