"""Notice the first connection to a listening socket, without accepting it."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable


class ConnectionWatch:
    """A thread that calls `on_connect` once somebody has connected to `listener`.

    It can be ended and resumed at any time, from any thread; it waits in the kernel, without a
    timeout.
    """

    def __init__(self, listener: socket.socket, on_connect: Callable[[], None]) -> None:
        self._listener = listener
        self._on_connect = on_connect
        self._switch = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None

    def resume(self) -> None:
        """Watch, in a thread that does not keep the process alive."""
        with self._switch:
            if self._thread is None:
                self._wake = os.pipe()
                self._thread = threading.Thread(
                    target=self._wait,
                    args=(self._listener.fileno(), self._wake[0]),
                    name="kecs-activation",
                    daemon=True,
                )
                self._thread.start()

    def end(self) -> None:
        """Stop watching; when this returns `on_connect` is not running (or is the caller)."""
        if threading.current_thread() is self._thread:
            return
        with self._switch:
            if self._thread is not None and self._wake is not None:
                os.write(self._wake[1], b"\0")
                self._thread.join()
                self._close()

    def abandon(self) -> None:
        """Let go of everything in a forked process, where the thread does not exist."""
        self._switch = threading.Lock()
        self._close()

    def _close(self) -> None:
        for descriptor in self._wake or ():
            os.close(descriptor)
        self._thread = self._wake = None

    def _wait(self, listener: int, wake: int) -> None:
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        waiting.register(wake, select.POLLIN)
        ready = {descriptor for descriptor, _ in waiting.poll()}
        if wake not in ready:
            self._on_connect()
