"""A realm's clock: real time, plus whatever a test has advanced it by; or no time but that."""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC
from datetime import datetime

LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""Times up to this can be written as dates, here and by who is told them."""

MAX_ADVANCES = 1000


class Clock:
    """Epoch seconds. Advancing never goes back. A `manual` clock stands still in between.

    `advances`: the last of them, each its time before and by how many seconds.
    """

    def __init__(self, *, manual: bool = False) -> None:
        self.is_manual = manual
        self._made_at = time.time()
        self._offset = 0.0
        self.advances: deque[tuple[float, float]] = deque(maxlen=MAX_ADVANCES)

    def now(self) -> float:
        return (self._made_at if self.is_manual else time.time()) + self._offset

    def seconds_until(self, at: float) -> float | None:
        """Real seconds until the clock shows `at`, 0 if it does; None: never by itself."""
        left = max(0.0, at - self.now())
        return None if self.is_manual and left else left

    def advance(self, seconds: float) -> None:
        """:raises ValueError: `seconds` is negative, or leads beyond `LATEST`."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward only, not by {seconds} s")
        if self.now() + seconds > LATEST:
            raise ValueError(f"a clock does not go beyond the year 9000, as by {seconds:g} s")
        self.advances.append((self.now(), seconds))
        self._offset += seconds
