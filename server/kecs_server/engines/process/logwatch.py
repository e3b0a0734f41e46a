"""Watches the log files of running containers, which they write to themselves."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from pathlib import Path

from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.process.inotify import Inotify

POLL = 0.05
"""Seconds between looks at logs that cannot be watched: without inotify, or without one more."""

PAUSE = 0.001
"""Seconds between two looks, at least: what is written in between counts as written at once."""

SHARE = 10
LONGEST_PAUSE = 0.05
"""The pause is that many times as long as the look before, up to so many seconds: a flood does not
take the server.
"""

log = logging.getLogger(__name__)


class LogWatch:
    """One thread notes when logs grow, which wakes their readers and keeps them below their cap.

    Thread-safe; `watch` and `unwatch` of one log come from one thread at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_watch: dict[int, ContainerLog] = {}
        self._watches: dict[ContainerLog, int] = {}
        self._polled: set[ContainerLog] = set()
        self._closing = threading.Event()
        self._waker, self._wake = os.pipe()
        self._inotify: Inotify | None = None
        try:
            self._inotify = Inotify()
        except OSError as error:
            log.info("logs are looked at every %s s: %s", POLL, error)
        self._thread = threading.Thread(target=self._run, name="kecs-logs", daemon=True)
        self._thread.start()

    def watch(self, container_log: ContainerLog, directory: Path) -> None:
        """The container is about to run, and its log files are in `directory`."""
        with self._lock:
            try:
                if self._inotify is None:
                    raise OSError("there is no inotify")
                watch = self._inotify.add(directory)
            except OSError:
                self._polled.add(container_log)
                os.write(self._wake, b"x")
            else:
                self._by_watch[watch] = container_log
                self._watches[container_log] = watch

    def unwatch(self, container_log: ContainerLog) -> None:
        """The container has ended."""
        with self._lock:
            self._polled.discard(container_log)
            watch = self._watches.pop(container_log, None)
            if watch is not None and self._inotify is not None:
                del self._by_watch[watch]
                self._inotify.remove(watch)

    def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            os.write(self._wake, b"x")
            self._thread.join()
            for descriptor in (self._waker, self._wake):
                os.close(descriptor)
            if self._inotify is not None:
                self._inotify.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        if self._inotify is not None:
            poll.register(self._inotify, select.POLLIN)
        while not self._closing.is_set():
            ready = poll.poll(POLL * 1000 if self._polled else None)
            if (self._waker, select.POLLIN) in ready:
                os.read(self._waker, 4096)
            begun = time.monotonic()
            for container_log in self._changed():
                try:
                    container_log.refresh()
                except OSError as error:  # a full disk, a directory that was deleted
                    log.warning("a log could not be looked at: %s", error)
            spent = time.monotonic() - begun
            self._closing.wait(min(max(PAUSE, SHARE * spent), LONGEST_PAUSE))

    def _changed(self) -> list[ContainerLog]:
        with self._lock:
            watches = self._inotify.read() if self._inotify is not None else set()
            if watches is None:
                watches = set(self._by_watch)
            found = [self._by_watch[watch] for watch in watches if watch in self._by_watch]
            return [*found, *self._polled]
