"""Fluent's forward protocol, version 1: what a log driver sends and a router takes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import suppress

SEND_SECONDS = 5.0
"""How long a router may take none of what it is sent."""

CLOSE_SECONDS = 2.0
"""How long one may take to read the rest, and to close its end then."""

Record = tuple[float, Mapping[str, str]]
"""Epoch seconds, and what is said."""


def encoded(tag: str, records: Iterable[Record]) -> bytes:
    """One message, in the protocol's mode Forward. Bytes that are no UTF-8 stand in texts as with
    `surrogateescape`, and are sent as they are.
    """
    import msgpack  # runs without a router need it not

    entries = [[msgpack.ExtType(0, _event_time(time)), record] for time, record in records]
    message: bytes = msgpack.packb(
        [tag, entries, {"size": len(entries)}], unicode_errors="surrogateescape"
    )
    return message


def _event_time(time: float) -> bytes:
    seconds, rest = divmod(round(time * 1_000_000_000), 1_000_000_000)
    return struct.pack(">II", seconds, rest)


class Connection:
    """To a router, made when something is to be sent; a new one when the last was closed.

    :param connect: makes one; raises OSError while nobody listens.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._socket: socket.socket | None = None

    def send(self, message: bytes) -> None:
        """:raises OSError: the router does not take it, or only a part that it will not heed."""
        if self._socket is None or self._is_closed(self._socket):
            self._drop()
            self._socket = self._connect()
        try:
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(message)
        except OSError:
            self._drop()
            raise

    def close(self) -> None:
        """Say that nothing more comes, and wait until the router has read all and closes, too."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.settimeout(CLOSE_SECONDS)
                self._socket.shutdown(socket.SHUT_WR)
                while self._socket.recv(1 << 16):
                    pass
        self._drop()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _is_closed(connection: socket.socket) -> bool:
        """Whether the other end is. A router that is asked for nothing says nothing."""
        connection.settimeout(0)
        try:
            return not connection.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            return True
