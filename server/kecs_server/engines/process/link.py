"""The server's end of the talk with the supervisor: its process, its socket, one thread."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kecs_server.engines.open_files import inherited

ROOT = Path(__file__).parents[3]
BOOT = """
import resource, sys
open_files = resource.RLIMIT_NOFILE
resource.setrlimit(open_files, (int(sys.argv[4]), resource.getrlimit(open_files)[1]))
sys.path.append(sys.argv[1])
module = __import__("kecs_server.engines.process." + sys.argv[2], fromlist=["main"])
sys.path.pop()
sys.exit(module.main(int(sys.argv[3])))
"""
READ_SIZE = 1 << 18

log = logging.getLogger(__name__)


class SupervisorLink:
    """A supervisor that runs. Sending never blocks: what the socket does not take is kept and
    written by the thread, which goes on reading meanwhile.

    `on_event` gets each event, `on_end` comes once, after the last event, when the supervisor has
    closed its end; both in the link's thread. The process is then `process`, yet to be reaped.

    :raises OSError: the process cannot be started.
    """

    def __init__(
        self,
        *,
        variables: dict[str, str],
        on_event: Callable[[dict[str, Any]], None],
        on_end: Callable[[SupervisorLink], None],
    ) -> None:
        self._on_event = on_event
        self._on_end = on_end
        self._lock = threading.Lock()
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._closed = False
        self._socket, theirs = socket.socketpair()
        self._wake_reader, self._wake_writer = socket.socketpair()
        try:
            self.process = spawn("supervisor", theirs.fileno(), variables)
        except BaseException:
            self._close_sockets()
            raise
        finally:
            theirs.close()
        for end in (self._socket, self._wake_reader, self._wake_writer):
            end.setblocking(False)  # noqa: FBT003
        self._thread = threading.Thread(target=self._run, name="kecs-supervisor-link", daemon=True)
        self._thread.start()

    def send(self, message: dict[str, Any]) -> None:
        """Pass a command on. To a supervisor that has ended it is lost; `on_end` is on its way."""
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            if self._closed:
                return
            idle = not self._outgoing
            self._outgoing += line
            if idle and not self._write():
                self._wake()

    def hang_up(self) -> None:
        """Let the supervisor read end of file, at which it kills all and ends."""
        with self._lock:
            if not self._closed:
                try:
                    self._socket.shutdown(socket.SHUT_WR)
                except OSError:
                    log.debug("the supervisor had hung up before", exc_info=True)

    def join(self, timeout: float) -> bool:
        """Wait for the thread, which ends after `on_end`; False: it runs still."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def reap(self, timeout: float) -> None:
        """Wait for the process, which has hung up."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            log.error("the supervisor has hung up but does not end; it is killed")
            self.process.kill()
            self.process.wait(timeout)

    def _write(self) -> bool:
        """Under the lock: write what the socket takes; False: something is left."""
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            return False
        except OSError:
            self._outgoing.clear()  # the reader sees the end of file
        return True

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is woken already
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            selector.register(self._socket, selectors.EVENT_READ)
            while self._serve(selector):
                pass
        with self._lock:
            self._closed = True
            self._close_sockets()
        self._on_end(self)

    def _serve(self, selector: selectors.BaseSelector) -> bool:
        for key, ready in selector.select():
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(READ_SIZE)
            elif ready & selectors.EVENT_READ and not self._receive():
                return False
        with self._lock:
            events = selectors.EVENT_READ
            if not self._write():
                events |= selectors.EVENT_WRITE
        if selector.get_key(self._socket).events != events:
            selector.modify(self._socket, events)
        return True

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            return False
        *lines, rest = (self._incoming + data).split(b"\n")
        self._incoming = bytearray(rest)
        for line in lines:
            self._deliver(json.loads(line))
        return True

    def _deliver(self, event: dict[str, Any]) -> None:
        try:
            self._on_event(event)
        except Exception:  # border: one observer's fault must not end the others' observations
            log.exception("event %s of the supervisor could not be handled", event)

    def _close_sockets(self) -> None:
        for end in (self._socket, self._wake_reader, self._wake_writer):
            end.close()


def spawn(
    module: str, control: int, variables: dict[str, str], *, new_session: bool = True
) -> subprocess.Popen[bytes]:
    """Run the `main` of one of this package's modules, which needs the standard library only, with
    the limit on open files that this process had.

    :param new_session: in one of its own, where no terminal's Ctrl-C reaches it.
    """
    python = [sys.executable, "-I", "-S", "-X", "utf8", "-c", BOOT]
    soft, _ = inherited()
    return subprocess.Popen(
        [*python, str(ROOT), module, str(control), str(soft)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(control,),
        start_new_session=new_session,
    )
