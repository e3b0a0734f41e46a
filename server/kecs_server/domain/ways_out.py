"""What a task with a network of its own reaches of the machine around it, and by which name.

A way out is an address and port at which this server listens for the task, and what it leads to;
names are lines of the containers' /etc/hosts. The address is none of the task's own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

from kecs_server.settings import is_reachable

HOST_NAME = "host.kecs.internal"
"""The machine's localhost, as a task calls it."""

AGENT_ADDRESS = "169.254.170.2"
"""Where tasks find their agent (ecs-facts 17.1); SDKs trust it without TLS."""

AGENT_PORT = 80
LOCALHOST = "127.0.0.1"

_NAMED = re.compile(re.escape(HOST_NAME) + r":(\d{1,5})(?!\d)")
_FIRST = ipaddress.ip_address("10.0.2.2")  # the machine for guests of QEMU and slirp, too


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A TCP port of a host, as it is called inside; HOST_NAME is the machine's localhost."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class WayOut:
    """What connects to `address` and `port` inside is led to `target` outside."""

    address: str
    port: int
    target: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNetwork:
    """Of a task. `addresses` are all that is reached from it; `hosts` are lines of /etc/hosts:
    name -> address.
    """

    addresses: tuple[str, ...] = ()
    hosts: Mapping[str, str]
    ways_out: tuple[WayOut, ...] = ()


def lay_out(places: Iterable[Place], agent_port: int | None) -> OwnNetwork:
    """Give each host an address: an IPv4 address its own, a name the next after 10.0.2.1.

    :param agent_port: of this machine, where the tasks' agent listens; None: nowhere.
    """
    hosts: dict[str, str] = {}
    addresses: list[str] = []
    ways: list[WayOut] = []
    if agent_port is not None:
        addresses.append(AGENT_ADDRESS)
        ways.append(WayOut(AGENT_ADDRESS, AGENT_PORT, Place(LOCALHOST, agent_port)))
    wanted = sorted(set(places))
    free = _free_addresses({place.host for place in wanted})
    for place in wanted:
        address = place.host
        if not _is_ipv4(address):
            if address not in hosts:
                hosts[address] = next(free)
            address = hosts[address]
        if address not in addresses:
            addresses.append(address)
        ways.append(WayOut(address, place.port, place))
    return OwnNetwork(addresses=tuple(addresses), hosts=hosts, ways_out=tuple(ways))


def parse_place(text: str) -> Place:
    """`5432` or `NAME:5432`; without a name, or with one of loopback, the machine's localhost.

    :raises ValueError: it is neither.
    """
    if not is_reachable(text):
        raise ValueError(f"{text!r} is not PORT or NAME:PORT")
    host, _, port = text.rpartition(":")
    return Place(HOST_NAME if not host or _is_loopback(host) else host, int(port))


def from_inside(url: str) -> tuple[str, Place]:
    """A URL of this machine as a task can use it, and what must be reached for that."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if _is_loopback(host) or ":" in host:
        # By another name: inside, this one would be the task itself.
        return f"{parts.scheme}://{HOST_NAME}:{port}", Place(HOST_NAME, port)
    return url, Place(host, port)


def named_by(environment: Mapping[str, str], argv: Iterable[str]) -> Iterator[Place]:
    """The ports of HOST_NAME that a container's definition names: `host.kecs.internal:5432`
    anywhere in a variable or argument, or a pair like DB_HOST and DB_PORT.
    """
    for text in (*environment.values(), *argv):
        for port in _NAMED.findall(text):
            if _is_port(port):
                yield Place(HOST_NAME, int(port))
    for name, value in environment.items():
        if value == HOST_NAME and "HOST" in name:
            port = environment.get("PORT".join(name.rsplit("HOST", 1)), "")
            if _is_port(port):
                yield Place(HOST_NAME, int(port))


def _free_addresses(taken: Collection[str]) -> Iterator[str]:
    addresses = (str(_FIRST + number) for number in count())
    return (address for address in addresses if address not in taken)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host in ("localhost", HOST_NAME):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
