"""Sockets on ports of the host: fixed ones, free ones, and free ones in a row."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from kecs_server.domain.ports import RESERVED
from kecs_server.engines.open_files import check_spare

HOST = "127.0.0.1"
"""Where the host ports of tasks are reached."""

MOST = 1000
"""Ports of a range that are forwarded at most: each is an open file of the server."""

_FALLBACK = (32768, 60999)
_TRIES = 500
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class PortError(Exception):
    """A port cannot be had; the text is the container's `reason`."""


class PortTaken(PortError):
    """Another program has it, or it is for root alone."""


def bind_fixed(port: int, protocol: str, host: str = HOST) -> socket.socket:
    """:raises PortError: in Docker's words."""
    try:
        return _bound(port, protocol, host)
    except OSError as error:
        raise _cannot_listen(port, protocol, error) from None


def bind_free(count: int, protocol: str, spared: Collection[int]) -> list[socket.socket]:
    """Sockets on `count` free ports in a row, none of them in `spared`.

    They are taken at random from the kernel's range of ephemeral ports (ecs-facts 6.12).

    :raises PortError: there are not so many in a row.
    """
    if count > MOST:
        raise PortError(_refusal(f"pytest-kecs forwards at most {MOST} ports of a range"))
    low, high = ephemeral_ports()
    for _ in range(_TRIES):
        first = random.randint(low, max(high - count + 1, low))
        ports = range(first, first + count)
        if not (RESERVED | set(spared)).isdisjoint(ports):
            continue
        sockets: list[socket.socket] = []
        try:
            for port in ports:
                sockets.append(_bound(port, protocol))
        except OSError as error:
            for each in sockets:
                each.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise PortError(_refusal(_told(error))) from None
        return sockets
    raise PortError(_refusal(f"no {count} free ports in a row between {low} and {high}"))


def check_free(port: int, protocol: str) -> None:
    """See whether a program could listen on a port. That it may not (below 1024, for a user) is
    for the program to find out.

    :raises PortError: somebody does so already.
    """
    try:
        _bound(port, protocol).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _cannot_listen(port, protocol, error) from None


def ephemeral_ports() -> tuple[int, int]:
    """The first and last port that the kernel gives to those who name none."""
    with suppress(OSError, ValueError):
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return int(low), int(high)
    return _FALLBACK


def _bound(port: int, protocol: str, host: str = HOST) -> socket.socket:
    made = socket.socket(socket.AF_INET, _KINDS[protocol])
    try:
        if protocol == "tcp":
            # A connection that was closed a moment ago is no reason to refuse its port.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        if protocol == "tcp":
            made.listen(128)
        check_spare(made.fileno())
    except OSError:
        made.close()
        raise
    return made


def _cannot_listen(port: int, protocol: str, error: OSError) -> PortError:
    kind = PortTaken if error.errno in (errno.EADDRINUSE, errno.EACCES) else PortError
    return kind(_refusal(f"listen {protocol}4 0.0.0.0:{port}: bind: {_told(error)}"))


def _told(error: OSError) -> str:
    """The system's words, as Go has them."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _refusal(text: str) -> str:
    return (
        "CannotStartContainerError: Error response from daemon: driver failed programming "
        f"external connectivity on endpoint: {text}"
    )
