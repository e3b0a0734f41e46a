"""Makes networks for tasks, and sockets in them, in a small process of its own.

Run by `link.BOOT`; the control descriptor is one end of a pair of SOCK_SEQPACKET sockets, on
which each packet is one JSON object:

    here, at first: {"ready": null}, or {"step", "errno"}: the system forbids it
    server: {"do": "make", "addresses": [...]}   a network from which these are reached
    here:   {"number", "path"}                   `path` leads to its namespace
    server: {"do": "open", "number", "family", "kind"}
    here:   {}, and the descriptor of a socket in that network
    server: {"do": "face", "number", "family", "kind"}
    here:   {}, and that of one which can be bound to those addresses, for that network alone
    server: {"do": "drop_port", "number", "table", "is_egress", "protocol", "port", "spared"}
    server: {"do": "drop_some", "number", "table", "percent", "sources", "spared"}
    server: {"do": "keep", "number", "table"}
    here:   {}                                   packets are lost there from now on, or no more
    server: {"do": "drop", "number"}
    here:   {}                                   the network ends with the last that uses it
    here:   {"step", "errno"}                    in place of an answer: it could not be done

A network has a loopback device, and one that leads to the network which this process is in. There
are the addresses that tasks reach, so that in theirs all addresses and ports are their own.

An ordinary user may make networks in a user namespace of his own. There is one for all, in which
he is who he was; root needs none. End of file means that the server is gone: this process ends,
and with it every network that no process and no socket is in.

Standard library only; Linux only.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import struct
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from kecs_server.engines.open_files import raise_limit
from kecs_server.engines.process import nftables
from kecs_server.engines.process.isolating import CLONE_NEWNET
from kecs_server.engines.process.isolating import CLONE_NEWNS
from kecs_server.engines.process.isolating import CLONE_NEWUSER
from kecs_server.engines.process.isolating import HOSTS
from kecs_server.engines.process.isolating import mount_instead
from kecs_server.engines.process.isolating import setns
from kecs_server.engines.process.isolating import unshare
from kecs_server.engines.process.netlink import Netlink

LONGEST_PACKET = 1 << 16
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
FIRST_FREE_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
ARP_IGNORE = "/proc/sys/net/ipv4/conf/all/arp_ignore"
DEVICE = "eth0"
FIRST_ADDRESS = 0x64400001
"""100.64.0.1. Networks have an address each, of 100.64.0.0/10; it returns when all were used."""

MOST_ADDRESSES = (1 << 22) - 2


class Networks:
    def __init__(self) -> None:
        self._step = ""
        self._home = -1
        self._faced: set[str] = set()
        self._numbers = itertools.count()
        self._devices: dict[int, str] = {}  # which leads to the network of a number

    def serve(self, control: socket.socket) -> None:
        """Answer until the server hangs up."""
        if not self._answer(control, self._prepare):
            return
        while packet := control.recv(LONGEST_PACKET):
            order = json.loads(packet)
            action = getattr(self, f"_do_{order.pop('do')}")
            self._answer(control, lambda action=action, order=order: action(**order))

    def _answer(self, control: socket.socket, action: Any) -> bool:
        opened: list[socket.socket] = []
        try:
            answer = action()
            if isinstance(answer, socket.socket):
                opened, answer = [answer], {}
        except OSError as error:
            answer = {"step": self._step, "errno": error.errno}
        try:
            socket.send_fds(control, [json.dumps(answer).encode()], [s.fileno() for s in opened])
        finally:
            for each in opened:
                each.close()
        return "errno" not in answer

    def _prepare(self) -> dict[str, Any]:
        """Do once all that tasks need, so that nothing is refused later."""
        if os.geteuid() != 0:
            self._become_same_user()
        self._home = self._enter_new()
        write(ARP_IGNORE, "0")  # its addresses are not those of the devices that ask for them
        self._do_drop(self._make(["192.0.2.1"]))
        self._step = "mount"
        unshare(CLONE_NEWNS)
        mount_instead(HOSTS, HOSTS)
        return {"ready": None}

    def _become_same_user(self) -> None:
        self._step = "user"
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER)
        self._step = "map"
        for name, text in (
            ("setgroups", "deny"),  # else nobody but root may map a group
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            write(f"/proc/self/{name}", text)

    def _do_make(self, addresses: Sequence[str]) -> dict[str, Any]:
        number = self._make(addresses)
        return {"number": number, "path": f"/proc/{os.getpid()}/fd/{number}"}

    def _do_open(self, number: int, family: int, kind: int) -> socket.socket:
        self._step = "socket"
        setns(number, CLONE_NEWNET)
        try:
            return socket.socket(family, kind)
        finally:
            setns(self._home, CLONE_NEWNET)

    def _do_face(self, number: int, family: int, kind: int) -> socket.socket:
        self._step = "socket"
        made = socket.socket(family, kind)
        device = self._devices[number].encode()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
        return made

    def _do_drop_port(self, number: int, *, is_egress: bool, **what: Any) -> dict[str, Any]:
        hook = nftables.OUTPUT if is_egress else nftables.INPUT
        return self._filter(number, lambda: nftables.drop_port(hook=hook, **what))

    def _do_drop_some(self, number: int, **what: Any) -> dict[str, Any]:
        return self._filter(number, lambda: nftables.drop_some(**what))

    def _do_keep(self, number: int, table: str) -> dict[str, Any]:
        return self._filter(number, lambda: nftables.keep(table))

    def _filter(self, number: int, change: Callable[[], None]) -> dict[str, Any]:
        self._step = "filter"
        setns(number, CLONE_NEWNET)
        try:
            change()
        finally:
            setns(self._home, CLONE_NEWNET)
        return {}

    def _do_drop(self, number: int) -> dict[str, Any]:
        self._step = "drop"
        self._devices.pop(number, None)
        os.close(number)
        return {}

    def _make(self, addresses: Sequence[str]) -> int:
        """A new network, in which this process does not stay; returns the descriptor."""
        self._step = "net"
        made = self._enter_new()
        try:
            if addresses:
                self._connect(made, addresses)
        except OSError:
            os.close(made)
            raise
        finally:
            setns(self._home, CLONE_NEWNET)
        return made

    def _connect(self, made: int, addresses: Sequence[str]) -> None:
        """Lead from the network that this process has entered to these addresses at home."""
        self._step = "link"
        number = next(self._numbers)
        device = f"task{number}"
        own = struct.pack("!I", FIRST_ADDRESS + number % MOST_ADDRESSES)
        with Netlink() as netlink:
            netlink.make_pair(DEVICE, device, self._home)
            bring_up(DEVICE)
            netlink.add_addresses(DEVICE, [socket.inet_ntoa(own)])
            netlink.add_routes(DEVICE, addresses)
        setns(self._home, CLONE_NEWNET)
        bring_up(device)
        with Netlink() as netlink:
            netlink.add_routes(device, [socket.inet_ntoa(own)])
            netlink.add_addresses("lo", [each for each in addresses if each not in self._faced])
        self._faced |= set(addresses)
        self._devices[made] = device

    def _enter_new(self) -> int:
        """:returns: the descriptor of a new network."""
        unshare(CLONE_NEWNET)
        self._step = "loopback"
        bring_up("lo")
        write(FIRST_FREE_PORT, "0")  # as Docker does: port 80 needs no rights
        return os.open("/proc/self/ns/net", os.O_RDONLY)


def bring_up(device: str) -> None:
    """Put it into service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", device.encode(), IFF_UP))


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def main(control: int) -> int:
    raise_limit()  # it holds each network by a descriptor
    with socket.socket(fileno=control) as link:
        Networks().serve(link)
    return 0
