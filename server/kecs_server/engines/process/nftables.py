"""Packets that a network loses: tables of the kernel's packet filter, made by its messages.

Everything happens in the network that the process is in. Part of who makes networks, and as that:
standard library only; Linux only.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from collections.abc import Sequence

from kecs_server.engines.process.netlink import CREATE
from kecs_server.engines.process.netlink import REQUEST
from kecs_server.engines.process.netlink import Netlink
from kecs_server.engines.process.netlink import attribute
from kecs_server.engines.process.netlink import message
from kecs_server.engines.process.netlink import name_of

INPUT, OUTPUT = 1, 3
"""Where packets are looked at: those for a program of the network, those from one."""

PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}

_NETFILTER = 12
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_SUBSYSTEM = 10
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_APPEND, _NO_OTHER = 0x800, 0x200
_EVERY_FAMILY = 1  # NFPROTO_INET
_NESTED = 0x8000
_CHAIN = "packets"

_DEVICE_OUT, _NFPROTO, _L4PROTO = 7, 15, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DESTINATION_PORT = 2, 2  # offset and length
_DESTINATION = {4: (16, 4), 6: (24, 16)}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_DROP, _ACCEPT = 0, 1
_REGISTER = 1
_EQUAL, _LESS = 0, 2


def drop_port(table: str, hook: int, protocol: str, port: int, spared: Iterable[str]) -> None:
    """Drop what is sent to the port, but for what is sent to `spared` addresses or networks.

    :raises OSError: the kernel has no packet filter, or a table of this name.
    """
    is_meant = [
        *_is(_L4PROTO, bytes([PROTOCOLS[protocol]])),
        *_field(_TRANSPORT_HEADER, *_DESTINATION_PORT, struct.pack("!H", port)),
    ]
    rules = [[*_is_to(each), *is_meant, _verdict(_ACCEPT)] for each in spared]
    rules.append([*is_meant, _verdict(_DROP)])
    _add(table, hook, rules)


def drop_some(table: str, percent: int, sources: Iterable[str], spared: Iterable[str]) -> None:
    """Drop a part of what is sent to `sources`, but for `spared` ones and within this network.

    :raises OSError: as `drop_port`.
    """
    rules = [[*_is(_DEVICE_OUT, b"lo".ljust(16, b"\0")), _verdict(_ACCEPT)]]
    rules += [[*_is_to(each), _verdict(_ACCEPT)] for each in spared]
    rules += [[*_is_to(each), *_is_among(percent), _verdict(_DROP)] for each in sources]
    _add(table, OUTPUT, rules)


def keep(table: str) -> None:
    """Drop nothing for this table any more. :raises OSError: there is none."""
    _commit([(_DELETE_TABLE, 0, attribute(1, name_of(table)))])


def _add(table: str, hook: int, rules: Iterable[Iterable[bytes]]) -> None:
    where = _number(1, hook) + _number(2, 0)
    chain = attribute(1, name_of(table)) + attribute(3, name_of(_CHAIN))
    chain += attribute(4 | _NESTED, where) + attribute(7, name_of("filter"))
    _commit(
        [
            (_NEW_TABLE, _NO_OTHER, attribute(1, name_of(table))),
            (_NEW_CHAIN, 0, chain),
            *((_NEW_RULE, _APPEND, _rule(table, rule)) for rule in rules),
        ]
    )


def _commit(changes: Sequence[tuple[int, int, bytes]]) -> None:
    """Make all of them (kind, flags, attributes) or none."""
    batch = struct.pack("!BBH", 0, 0, _SUBSYSTEM)
    head = struct.pack("!BBH", _EVERY_FAMILY, 0, 0)
    messages = [
        message(_SUBSYSTEM << 8 | kind, flags | CREATE, head + attributes)
        for kind, flags, attributes in changes
    ]
    begin = message(_BATCH_BEGIN, REQUEST, batch, is_answered=False)
    end = message(_BATCH_END, REQUEST, batch, is_answered=False)
    with Netlink(_NETFILTER) as netlink:
        netlink.exchange(begin + b"".join(messages) + end, answers=len(messages))


def _rule(table: str, expressions: Iterable[bytes]) -> bytes:
    content = b"".join(attribute(1 | _NESTED, each) for each in expressions)
    chain = attribute(1, name_of(table)) + attribute(2, name_of(_CHAIN))
    return chain + attribute(4 | _NESTED, content)


def _is_to(network: str) -> list[bytes]:
    parsed = ipaddress.ip_network(network, strict=False)
    offset, length = _DESTINATION[parsed.version]
    mask, first = parsed.netmask.packed, parsed.network_address.packed
    return [
        *_is(_NFPROTO, bytes([_FAMILIES[parsed.version]])),
        *_field(_NETWORK_HEADER, offset, length, first, mask),
    ]


def _is(key: int, value: bytes) -> list[bytes]:
    """Something that the kernel knows of a packet."""
    return [_expression("meta", _number(1, _REGISTER) + _number(2, key)), _compared(value)]


def _field(header: int, offset: int, length: int, value: bytes, mask: bytes = b"") -> list[bytes]:
    """Something that a packet has in one of its headers."""
    numbers = enumerate((_REGISTER, header, offset, length), 1)
    found = [_expression("payload", b"".join(_number(kind, each) for kind, each in numbers))]
    if mask:
        numbers = enumerate((_REGISTER, _REGISTER, length), 1)
        content = b"".join(_number(kind, each) for kind, each in numbers)
        content += attribute(4 | _NESTED, attribute(1, mask))
        content += attribute(5 | _NESTED, attribute(1, bytes(length)))
        found.append(_expression("bitwise", content))
    return [*found, _compared(value)]


def _is_among(percent: int) -> list[bytes]:
    """A number from 0 to 99, another for each packet, in the order of bytes that is compared."""
    drawn = _number(1, _REGISTER) + _number(2, 100) + _number(3, 1)
    turned = [_REGISTER, _REGISTER, 1, 4, 4]
    return [
        _expression("numgen", drawn),
        _expression("byteorder", b"".join(_number(kind, it) for kind, it in enumerate(turned, 1))),
        _compared(struct.pack("!I", percent), _LESS),
    ]


def _compared(value: bytes, how: int = _EQUAL) -> bytes:
    content = _number(1, _REGISTER) + _number(2, how) + attribute(3 | _NESTED, attribute(1, value))
    return _expression("cmp", content)


def _verdict(code: int) -> bytes:
    verdict = attribute(2 | _NESTED, _number(1, code))
    return _expression("immediate", _number(1, 0) + attribute(2 | _NESTED, verdict))


def _expression(name: str, content: bytes) -> bytes:
    return attribute(1, name_of(name)) + attribute(2 | _NESTED, content)


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))
