"""How often the containers of a task may ask (ecs-facts 17.2)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

RATE = 40.0
"""Requests a second that a task can make for ever."""

BURST = 60.0
"""Requests that it can make at once."""

_MANY = 1000
"""Tasks above which those are forgotten that have not asked for a while."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float

    def refill(self, now: float) -> float:
        self.tokens = min(BURST, self.tokens + (now - self.at) * RATE)
        self.at = now
        return self.tokens


class Throttle:
    """A token bucket for each task. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def admits(self, task_id: str) -> bool:
        """Count a request of the task; whether it is to be answered."""
        now = time.monotonic()
        with self._lock:
            if task_id not in self._buckets:
                self._make_room(now)
            bucket = self._buckets.setdefault(task_id, _Bucket(BURST, now))
            if bucket.refill(now) < 1:
                return False
            bucket.tokens -= 1
            return True

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= _MANY:
            self._buckets = {
                task_id: bucket
                for task_id, bucket in self._buckets.items()
                if bucket.refill(now) < BURST
            }
