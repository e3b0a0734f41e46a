"""A few threads for calls of an endpoint: as many as are needed, none while none is."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

Job = Callable[[], None]


class Pool:
    """Jobs begin in the order in which they were given, up to `threads` side by side."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._limit = threads
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                return
            self._jobs.append(job)
            if self._idle < len(self._jobs) and self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            self._changed.notify_all()

    def close(self, patience: float = 0.0) -> None:
        """Give what waits so many seconds; then begin no more. A call that lasts ends with the
        process.
        """
        with self._changed:
            self._changed.wait_for(self._is_idle, patience)
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not self._jobs and self._idle == self._threads

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                _log.exception("a job of %s failed", self._name)

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._jobs or self._closed)
            self._idle -= 1
            return None if self._closed else self._jobs.popleft()
