"""A few threads that do jobs; those of one key one after another, in the order given."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition
from threading import Thread
from time import monotonic

_log = logging.getLogger(__name__)

Job = Callable[[], None]


class OrderedPool:
    """Jobs of different keys run side by side, up to the number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        self._changed = Condition()
        self._jobs: dict[str, deque[Job]] = {}
        self._ready: deque[str] = deque()
        self._closed = False
        self._threads = [
            Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, key: str, job: Job) -> None:
        """Do `job` after all jobs of the same key; ignored once closed."""
        with self._changed:
            if self._closed:
                return
            queue = self._jobs.setdefault(key, deque())
            queue.append(job)
            if len(queue) == 1:
                self._ready.append(key)
                self._changed.notify()

    def close(self, timeout: float) -> None:
        """Forget the jobs that have not begun; wait for the others, `timeout` seconds in all."""
        deadline = monotonic() + timeout
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            key, job = taken
            try:
                job()
            except Exception:
                _log.exception("A job of %s failed", key)
            self._finish(key)

    def _take(self) -> tuple[str, Job] | None:
        with self._changed:
            while not self._ready and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            key = self._ready.popleft()
            return key, self._jobs[key][0]

    def _finish(self, key: str) -> None:
        with self._changed:
            queue = self._jobs.get(key)
            if queue is None:
                return
            queue.popleft()
            if queue:
                self._ready.append(key)
                self._changed.notify()
            else:
                del self._jobs[key]
