"""Requests for faults as the ECS agent reads and refuses them (ecs-facts 17.7, and the agent's
handlers of fault/v1).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import Fault
from kecs_server.domain.faults import Latency
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import AGENT_PORT

Structure = dict[str, Any]

INTERNAL_ERROR = "internal error"
"""What the agent says when the system does not do it."""

MODES = ("host", "awsvpc")
ALREADY_RUNNING = {
    "latency": "There is already one network latency fault running",
    "packet-loss": "There is already one network packet loss fault running",
}
"""One of these excludes the other; the text is for the one that runs."""

BLACK_HOLE = "network-blackhole-port"
NAMES = {"network-latency": "latency", "network-packet-loss": "packet-loss"}
"""Of those whose name is that of their kind; they are stopped without saying which."""

_TYPES = {
    BLACK_HOLE: (
        "NetworkBlackholePortRequest",
        {"Port": "uint16", "Protocol": "string", "TrafficType": "string"},
    ),
    "network-latency": (
        "NetworkLatencyRequest",
        {"DelayMilliseconds": "uint64", "JitterMilliseconds": "uint64", "Sources": "[]*string"},
    ),
    "network-packet-loss": (
        "NetworkPacketLossRequest",
        {"LossPercent": "uint64", "Sources": "[]*string"},
    ),
}
"""The agent's names for what it reads, and for the types of its members; all are required."""

_LARGEST = {"uint16": (1 << 16) - 1, "uint64": (1 << 64) - 1}


class BadRequest(Exception):
    """The text is the agent's."""


def parse_fault(kind: str, body: bytes) -> Fault:
    """:raises BadRequest: it is no request for a fault of this kind."""
    given = _decode(kind, body)
    for name in _TYPES[kind][1]:
        if given.get(name) in (None, "", []):
            raise BadRequest(f"required parameter {name} is missing")
    fault = _MAKERS[kind](given)
    for name in ("Sources", "SourcesToFilter"):
        for source in given.get(name) or ():
            if not _is_network(source or ""):
                raise _invalid(source or "", name)
    return fault


def _decode(kind: str, body: bytes) -> Structure:
    if not body.strip():
        raise BadRequest("required request body is missing")
    given = _first_value(body.decode(errors="replace").strip())
    type_name, members = _TYPES[kind]
    if not isinstance(given, dict):
        raise BadRequest(
            f"json: cannot unmarshal {_kind(given)} into Go value of type types.{type_name}"
        )
    # As in Go, whatever the case of a name.
    names = {name.lower(): name for name in (*members, "SourcesToFilter")}
    found = {names[key.lower()]: value for key, value in given.items() if key.lower() in names}
    for name, value in found.items():
        _check_type(f"{type_name}.{name}", members.get(name, "[]*string"), value)
    return found


def _first_value(text: str) -> Any:
    """What follows the first value is not read, as by Go's decoder.

    :raises BadRequest: it is no JSON, in Go's words.
    """
    try:
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        where = _EXPECTED.get(error.msg)
        if where is None or error.pos >= len(text):
            raise BadRequest("unexpected EOF") from None
        raise BadRequest(f"invalid character '{text[error.pos]}' {where}") from None
    except RecursionError:
        raise BadRequest("exceeded max depth") from None


def _refuse_constant(name: str) -> Any:
    """Of those that Python knows and JSON does not: NaN, Infinity."""
    raise BadRequest(f"invalid character '{name[0]}' {_EXPECTED['Expecting value']}")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_EXPECTED = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": (
        "looking for beginning of object key string"
    ),
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
}
"""What Python's decoder says of a character that should not be there, and what Go's does."""


def _check_type(member: str, type_name: str, value: Any) -> None:
    """:raises BadRequest: Go could not read the value."""

    def refused(value: Any, type_name: str) -> BadRequest:
        text = f"{_kind(value)} into Go struct field {member} of type {type_name}"
        return BadRequest(f"json: cannot unmarshal {text}")

    if value is None:
        return
    if type_name == "[]*string":
        if not isinstance(value, list):
            raise refused(value, type_name)
        for each in value:
            if each is not None and not isinstance(each, str):
                raise refused(each, "string")
    elif type_name == "string":
        if not isinstance(value, str):
            raise refused(value, type_name)
    elif type(value) is not int:
        raise refused(value, type_name)
    elif not 0 <= value <= _LARGEST[type_name]:
        text = f"number {value} into Go struct field {member} of type {type_name}"
        raise BadRequest(f"json: cannot unmarshal {text}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value}"
    return {str: "string", list: "array", dict: "object", int: "number"}[type(value)]


def _black_hole(given: Structure) -> BlackHole:
    for name, values in (("Protocol", ("tcp", "udp")), ("TrafficType", ("ingress", "egress"))):
        if given[name] not in values:
            raise _invalid(given[name], name)
    spared = tuple(given.get("SourcesToFilter") or ())
    is_egress = given["TrafficType"] == "egress"
    if is_egress and given["Port"] == AGENT_PORT and AGENT_ADDRESS not in spared:
        spared = (*spared, AGENT_ADDRESS)
    return BlackHole(
        is_egress=is_egress, protocol=given["Protocol"], port=given["Port"], spared=spared
    )


def _latency(given: Structure) -> Latency:
    return Latency(
        delay=given["DelayMilliseconds"] / 1000,
        jitter=given["JitterMilliseconds"] / 1000,
        sources=tuple(given["Sources"]),
        spared=tuple(given.get("SourcesToFilter") or ()),
    )


def _packet_loss(given: Structure) -> PacketLoss:
    percent = given["LossPercent"]
    if not 1 <= percent <= 100:
        raise _invalid(str(percent), "LossPercent")
    return PacketLoss(
        percent=percent,
        sources=tuple(given["Sources"]),
        spared=tuple(given.get("SourcesToFilter") or ()),
    )


_MAKERS: dict[str, Callable[[Structure], Fault]] = {
    BLACK_HOLE: _black_hole,
    "network-latency": _latency,
    "network-packet-loss": _packet_loss,
}


def _invalid(value: str, name: str) -> BadRequest:
    return BadRequest(f"invalid value {value} for parameter {name}")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
