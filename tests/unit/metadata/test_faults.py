"""What the agent reads in requests for faults, and refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import Fault
from kecs_server.domain.faults import Latency
from kecs_server.domain.faults import PacketLoss
from kecs_server.metadata.faults import BadRequest
from kecs_server.metadata.faults import parse_fault

HOLE, LATENCY, LOSS = "network-blackhole-port", "network-latency", "network-packet-loss"
PORT = {"Port": 80, "Protocol": "tcp", "TrafficType": "ingress"}
SLOW = {"DelayMilliseconds": 200, "JitterMilliseconds": 0, "Sources": ["0.0.0.0/0"]}
LOST = {"LossPercent": 5, "Sources": ["10.0.0.1"], "SourcesToFilter": ["::1"]}


@pytest.mark.parametrize(
    ("kind", "body", "fault"),
    [
        (HOLE, PORT, BlackHole(is_egress=False, protocol="tcp", port=80)),
        (
            HOLE,  # the agent itself is always reached
            {**PORT, "TrafficType": "egress", "SourcesToFilter": ["10.0.0.0/8"]},
            BlackHole(
                is_egress=True, protocol="tcp", port=80, spared=("10.0.0.0/8", "169.254.170.2")
            ),
        ),
        (HOLE, {**PORT, "port": 0}, BlackHole(is_egress=False, protocol="tcp", port=0)),
        (LATENCY, SLOW, Latency(delay=0.2, jitter=0.0, sources=("0.0.0.0/0",))),
        (LOSS, LOST, PacketLoss(percent=5, sources=("10.0.0.1",), spared=("::1",))),
    ],
)
def test_what_is_asked(kind: str, body: dict[str, Any], fault: Fault) -> None:
    assert parse_fault(kind, json.dumps(body).encode()) == fault


CANNOT = "json: cannot unmarshal"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (HOLE, {**PORT, "Port": None}, "required parameter Port is missing"),
        (HOLE, {"Port": 1, "Protocol": ""}, "required parameter Protocol is missing"),
        (LATENCY, {**SLOW, "Sources": []}, "required parameter Sources is missing"),
        (HOLE, {**PORT, "Protocol": "icmp"}, "invalid value icmp for parameter Protocol"),
        (HOLE, {**PORT, "TrafficType": "all"}, "invalid value all for parameter TrafficType"),
        (LOSS, {**LOST, "LossPercent": 101}, "invalid value 101 for parameter LossPercent"),
        (LOSS, {**LOST, "LossPercent": 0}, "invalid value 0 for parameter LossPercent"),
        (LATENCY, {**SLOW, "Sources": ["a.b"]}, "invalid value a.b for parameter Sources"),
        (
            HOLE,
            {**PORT, "SourcesToFilter": ["10.0.0.0/33"]},
            "invalid value 10.0.0.0/33 for parameter SourcesToFilter",
        ),
        (
            HOLE,
            {**PORT, "Port": 65536},
            f"{CANNOT} number 65536 into Go struct field NetworkBlackholePortRequest.Port of type "
            "uint16",
        ),
        (
            LATENCY,
            {**SLOW, "DelayMilliseconds": "1"},
            f"{CANNOT} string into Go struct field NetworkLatencyRequest.DelayMilliseconds of type "
            "uint64",
        ),
        (
            LOSS,
            {**LOST, "Sources": [1]},
            f"{CANNOT} number into Go struct field NetworkPacketLossRequest.Sources of type string",
        ),
        (LOSS, [], f"{CANNOT} array into Go value of type types.NetworkPacketLossRequest"),
    ],
)
def test_what_is_refused(kind: str, body: Any, text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_fault(kind, json.dumps(body).encode())
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b" ", "required request body is missing"),
        (b'{"Port": 80', "unexpected EOF"),
        (b'{"Port', "unexpected EOF"),
        (b"port=80", "invalid character 'p' looking for beginning of value"),
        (b'{"Port": NaN}', "invalid character 'N' looking for beginning of value"),
        (b"{Port: 80}", "invalid character 'P' looking for beginning of object key string"),
        (b'{"Port" 80}', "invalid character '8' after object key"),
        (b'{"Port": 80 "x"}', "invalid character '\"' after object key:value pair"),
        (b"[" * 100_000, "exceeded max depth"),
        (b"\xff", "invalid character '\N{REPLACEMENT CHARACTER}' looking for beginning of value"),
    ],
    ids=range(10),
)
def test_what_is_no_json(body: bytes, text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_fault(HOLE, body)
    assert str(raised.value) == text


def test_what_follows_is_not_read() -> None:
    fault = parse_fault(HOLE, json.dumps(PORT).encode() + b" and more")
    assert fault == BlackHole(is_egress=False, protocol="tcp", port=80)


def test_whom_a_delay_concerns() -> None:
    latency = Latency(delay=0.3, jitter=0.1, sources=("10.0.0.0/8",), spared=("10.0.2.2",))
    assert latency.delay_to("10.0.2.2") == latency.delay_to("::1") == 0.0
    assert {0.2 <= latency.delay_to("10.0.2.3") <= 0.4 for _ in range(20)} == {True}
