"""One thread that calls functions at their time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from threading import Condition
from threading import Thread
from time import monotonic


class Timers:
    """Functions must be quick: hand work on."""

    def __init__(self, name: str) -> None:
        self._changed = Condition()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._closed = False
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._queue, (monotonic() + seconds, next(self._order), call))
            self._changed.notify()

    def close(self) -> None:
        """Forget all that has not been called."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(5)

    def _work(self) -> None:
        while (call := self._take()) is not None:
            call()

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                now = monotonic()
                if self._queue and self._queue[0][0] <= now:
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(self._queue[0][0] - now if self._queue else None)
            return None
