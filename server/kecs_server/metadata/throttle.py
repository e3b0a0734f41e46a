"""How often the containers of a task may ask (ecs-facts 17.2, 17.7)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

RATE = 40.0
"""Requests a second that a task can make for ever."""

BURST = 60.0
"""Requests that it can make at once."""

FAULT_RATE = 0.2
"""Requests a second for a fault, of each kind and action, one at once."""

_MANY = 1000
"""Tasks above which those are forgotten that have not asked for a while."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float

    def refill(self, now: float, rate: float, burst: float) -> float:
        self.tokens = min(burst, self.tokens + (now - self.at) * rate)
        self.at = now
        return self.tokens


class Throttle:
    """A token bucket for each task, or whatever a key stands for. Thread-safe."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def admits(self, key: str) -> bool:
        """Count a request; whether it is to be answered."""
        now = time.monotonic()
        with self._lock:
            if key not in self._buckets:
                self._make_room(now)
            bucket = self._buckets.setdefault(key, _Bucket(self._burst, now))
            if bucket.refill(now, self._rate, self._burst) < 1:
                return False
            bucket.tokens -= 1
            return True

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= _MANY:
            self._buckets = {
                key: bucket
                for key, bucket in self._buckets.items()
                if bucket.refill(now, self._rate, self._burst) < self._burst
            }
