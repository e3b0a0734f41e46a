"""Which process listens where, so that a connection reaches the container that is meant.

Localhost is the machine's for every container: that somebody answers on a port says nothing. A
listener counts if its socket is open in a process of the container. On Linux that is told by the
socket's inode, elsewhere by what the system says of each process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

LOOPBACK = "127.0.0.1"
CONNECT_TIMEOUT = 5.0  # seconds; a loopback connection takes that long with a full backlog only
EVERY_ADDRESS = ("0.0.0.0", "::")
UNCONNECTED = {"tcp": "0A", "udp": "07"}  # states in /proc/net: listening, closed
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

MakeSocket = Callable[[int, int], socket.socket]
"""A new socket, of a family and kind. :raises OSError: it cannot be had."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for peers; `inode` is 0 where the system does not tell it."""

    address: str
    port: int
    inode: int = 0


class Listeners:
    """Finds the listeners of containers. Thread-safe: what it keeps only saves time."""

    def __init__(self) -> None:
        self._proven: set[tuple[int, int]] = set()  # (leader, inode)

    def connect(
        self,
        leader: int,
        port: int,
        protocol: str,
        address: str = LOOPBACK,
        make: MakeSocket = socket.socket,
    ) -> socket.socket:
        """Connect to a listener of the container whose first process is `leader`; one that
        listens at every address is reached at `address`. `make` gives sockets of its network.

        :raises ConnectionRefusedError: the container has none on this port.
        :raises OSError: it does not accept.
        """
        listener = self.find(leader, port, protocol)
        if listener == "::":
            with suppress(ConnectionRefusedError):  # one that takes IPv6 alone
                return connected(address, port, protocol, make)
            return connected("::1", port, protocol, make)
        return connected(address if listener == "0.0.0.0" else listener, port, protocol, make)

    def find(self, leader: int, port: int, protocol: str) -> str:
        """The address of a listener of the container.

        :raises ConnectionRefusedError: it has none on this port that is its own alone.
        """
        found = list(listening(protocol, leader))
        there = [each for each in found if each.port == port]
        own = self._own(leader, there)
        foreign = [each for each in there if each not in own]
        for each in own:
            if all(other.address != each.address for other in foreign):
                return each.address
        if own:
            raise ConnectionRefusedError(
                f"port {port} is shared with {owner_of(foreign)}, which is not of the container: "
                "either may answer"
            )
        if foreign:
            raise ConnectionRefusedError(
                f"what listens on port {port} is {owner_of(foreign)}, which is not of the container"
            )
        ports = sorted({each.port for each in self._own(leader, found)})
        does = f"it does on {', '.join(map(str, ports))}" if ports else "nor on any other"
        raise ConnectionRefusedError(f"no process of the container listens on port {port}, {does}")

    def _own(self, leader: int, listeners: list[Listener]) -> list[Listener]:
        if sys.platform != "linux":
            return listeners  # `listening` gave no others
        own = [each for each in listeners if (leader, each.inode) in self._proven]
        if not own and listeners:
            inodes = {inode for pid in members(leader) for inode in sockets_of(pid)}
            own = [each for each in listeners if each.inode in inodes]
            self._proven |= {(leader, each.inode) for each in own}
        return own


def listening(protocol: str, leader: int) -> Iterator[Listener]:
    """All listeners of the container's network, which may be the machine's; where it does not say
    who has them, the container's alone.
    """
    if sys.platform != "linux":
        yield from listening_of_members(protocol, leader)
        return
    for name in (protocol, f"{protocol}6"):  # which is missing where there is no IPv6
        with suppress(FileNotFoundError), open(f"/proc/{leader}/net/{name}") as table:
            next(table)
            for line in table:
                _, local, _, state, *rest = line.split(None, 10)
                if state == UNCONNECTED[protocol]:
                    address, _, port = local.partition(":")
                    yield Listener(address_of(address), int(port, 16), int(rest[5]))


def listening_of_members(protocol: str, leader: int) -> Iterator[Listener]:
    import psutil

    for pid in members(leader):
        with suppress(psutil.Error):
            sockets: Any = psutil.Process(pid).net_connections(protocol)
            for each in sockets:
                if not each.raddr and each.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                    yield Listener(each.laddr.ip, each.laddr.port)


def members(leader: int) -> list[int]:
    """The processes of a container: its first, and all that descend from it."""
    import psutil  # not before somebody asks: a server without it starts sooner

    try:
        process = psutil.Process(leader)
        return [leader, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return []


def sockets_of(pid: int) -> Iterator[int]:
    """The inodes of the sockets that a process has open, as far as we may look."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                yield int(target[8:-1])


def address_of(text: str) -> str:
    """An address as /proc/net writes it: 32-bit words in the machine's order of bytes."""
    raw = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def connected(
    address: str, port: int, protocol: str, make: MakeSocket = socket.socket
) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = make(family, KINDS[protocol])
    try:
        made.settimeout(CONNECT_TIMEOUT)
        made.connect((address, port))
        made.settimeout(None)
    except OSError:
        made.close()
        raise
    return made


def owner_of(listeners: list[Listener]) -> str:
    """Who has one of the listeners, as far as we may look."""
    import psutil

    inodes = {each.inode for each in listeners}
    for process in psutil.process_iter(["name"]):
        if not inodes.isdisjoint(sockets_of(process.pid)):
            return f"process {process.pid} ({process.info['name']})"
    return "a process of another user"
