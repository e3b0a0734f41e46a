"""What is asked of the kernel's network by messages: devices, addresses and routes.

Everything happens in the network that the process is in when it makes the `Netlink`. Part of who
makes networks, and as that: standard library only; Linux only.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

_NLMSG_ERROR = 2
_RTM_NEWLINK = 16
_RTM_NEWADDR = 20
_RTM_NEWROUTE = 24
REQUEST, CREATE = 0x1, 0x400
_ACK, _EXCL = 0x4, 0x200
_HEADER = struct.Struct("=IHHII")  # length, type, flags, number, sender

_ANY_DEVICE = bytes(16)  # a struct ifinfomsg
_IFLA_IFNAME = 3
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_IFLA_NET_NS_FD = 28
_VETH_INFO_PEER = 1
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_RTA_DST = 1
_RTA_OIF = 4
_MAIN_TABLE, _STATIC, _LINK_SCOPE, _UNICAST = 254, 4, 253, 1


class Netlink:
    """A talk with the kernel. :raises OSError: from each method, what is asked is refused."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.connect((0, 0))

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def make_pair(self, name: str, peer: str, peer_network: int) -> None:
        """Two devices, each of which gets what the other is sent: one here, one in the network of
        the descriptor `peer_network`.
        """
        other = _ANY_DEVICE + attribute(_IFLA_IFNAME, name_of(peer))
        other += attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_network))
        kind = attribute(_IFLA_INFO_KIND, b"veth")
        info = kind + attribute(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER, other))
        names = attribute(_IFLA_IFNAME, name_of(name)) + attribute(_IFLA_LINKINFO, info)
        self.ask([(_RTM_NEWLINK, _EXCL | CREATE, _ANY_DEVICE + names)])

    def add_addresses(self, device: str, addresses: Sequence[str]) -> None:
        index = socket.if_nametoindex(device)
        message = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, index)
        self.ask(
            [
                (
                    _RTM_NEWADDR,
                    _EXCL | CREATE,
                    message
                    + attribute(_IFA_LOCAL, socket.inet_aton(address))
                    + attribute(_IFA_ADDRESS, socket.inet_aton(address)),
                )
                for address in addresses
            ]
        )

    def add_routes(self, device: str, addresses: Sequence[str]) -> None:
        """Find these beyond the device."""
        index = attribute(_RTA_OIF, struct.pack("=I", socket.if_nametoindex(device)))
        fixed = (0, 0, _MAIN_TABLE, _STATIC, _LINK_SCOPE, _UNICAST, 0)
        message = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, *fixed)
        self.ask(
            [
                (
                    _RTM_NEWROUTE,
                    _EXCL | CREATE,
                    message + attribute(_RTA_DST, socket.inet_aton(address)) + index,
                )
                for address in addresses
            ]
        )

    def ask(self, messages: Sequence[tuple[int, int, bytes]]) -> None:
        """Send messages (type, flags, content) one by one, each with its answer."""
        for each in messages:
            self.exchange(message(*each), answers=1)

    def exchange(self, messages: bytes, answers: int) -> None:
        """Send messages at once, which have this number of answers."""
        self._socket.send(messages)
        for _ in range(answers):
            check(self._socket.recv(1 << 16))


def message(kind: int, flags: int, content: bytes, *, is_answered: bool = True) -> bytes:
    flags |= REQUEST | (_ACK if is_answered else 0)
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, 1, 0) + content


def check(answer: bytes) -> None:
    """:raises OSError: it is a refusal."""
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        [number] = struct.unpack_from("=i", answer, _HEADER.size)
        if number:
            raise OSError(-number, os.strerror(-number))


def attribute(kind: int, content: bytes) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content + bytes(-length % 4)


def name_of(text: str) -> bytes:
    return text.encode() + b"\0"
