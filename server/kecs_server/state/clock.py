"""A realm's clock: real time, plus whatever a test has advanced it by."""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC
from datetime import datetime

LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""Times up to this can be written as dates, here and by who is told them."""

MAX_ADVANCES = 1000


class Clock:
    """Epoch seconds. Advancing never goes back.

    `advances`: the last of them, each its time before and by how many seconds.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        self.advances: deque[tuple[float, float]] = deque(maxlen=MAX_ADVANCES)

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """:raises ValueError: `seconds` is negative, or leads beyond `LATEST`."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward only, not by {seconds} s")
        if self.now() + seconds > LATEST:
            raise ValueError(f"a clock does not go beyond the year 9000, as by {seconds:g} s")
        self.advances.append((self.now(), seconds))
        self._offset += seconds
