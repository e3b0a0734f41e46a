"""How long the server lives: until it is told, its owner is gone, or its lease is over."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time


class Lifetime:
    """Thread-safe; `stop` may be called from a signal handler.

    :param owner_pid: the server ends with this process; None: it has no owner.
    :param lease: seconds that it may live without an owner; None: for ever.
    """

    def __init__(self, owner_pid: int | None, lease: float | None) -> None:
        self._lock = threading.RLock()
        # What was written before the wait begins ends it too.
        self._news, self._writer = socket.socketpair()
        self._news.settimeout(0)
        self._writer.settimeout(0)
        self._reason: str | None = None
        self._owner_pid: int | None = None
        self._deadline: float | None = None
        self.renew(owner_pid, lease)

    def heed_signals(self) -> None:
        """Let a signal that has a handler end the wait, so that its handler is run. Python runs it
        in the main thread only, which a signal just before the wait, or one that another thread
        got, would not wake from a lock.
        """
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def renew(self, owner_pid: int | None, lease: float | None) -> None:
        """Take another owner, or none and a lease."""
        with self._lock:
            self._owner_pid = owner_pid
            self._deadline = None
            if owner_pid is None and lease is not None:
                self._deadline = time.monotonic() + lease
        self._tell()
        if owner_pid is not None:
            threading.Thread(
                target=self._watch, args=(owner_pid,), name="owner-watch", daemon=True
            ).start()

    def remaining(self) -> float | None:
        """Seconds of the lease that are left; None without one."""
        with self._lock:
            return None if self._deadline is None else self._deadline - time.monotonic()

    def stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._tell()

    def wait(self) -> str:
        """Wait for the end; returns why it came."""
        while self._reason is None:
            remaining = self.remaining()
            if remaining is not None and remaining <= 0:
                return "the lease is over"
            select.select([self._news], [], [], remaining)
            with contextlib.suppress(BlockingIOError):
                self._news.recv(4096)
        return self._reason

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._news.close()
        self._writer.close()

    def _tell(self) -> None:
        # What is full wakes as well; what is closed wakes nobody.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def _watch(self, owner_pid: int) -> None:
        wait_for_exit(owner_pid)
        with self._lock:
            if self._owner_pid == owner_pid:
                self.stop(f"the owner, process {owner_pid}, is gone")


def wait_for_exit(pid: int) -> None:
    """Block until the process has ended; it need not be a child."""
    with contextlib.suppress(ProcessLookupError):
        _wait_for_exit(pid)


if sys.platform == "linux":

    def _wait_for_exit(pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [])
        finally:
            os.close(descriptor)

else:

    def _wait_for_exit(pid: int) -> None:
        queue = select.kqueue()
        event = select.kevent(
            pid,
            filter=select.KQ_FILTER_PROC,
            flags=select.KQ_EV_ADD,
            fflags=select.KQ_NOTE_EXIT,
        )
        try:
            queue.control([event], 1)
        finally:
            queue.close()
