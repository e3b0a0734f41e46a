"""Commands and ports over a websocket, whose other side speaks as kubelet does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.api_errors import refusal
from kecs_server.engines.kubernetes.port_forward import forward
from kecs_server.engines.kubernetes.streams import RunningCommand
from websocket import ABNF
from websocket import WebSocket
from websocket import WebSocketException

SECONDS = 10.0
NON_ZERO = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "message": "command terminated with non-zero exit code: ..., exit code 3",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
CANNOT_RUN = {
    "status": "Failure",
    "message": "Internal error occurred: error executing command in container: failed to exec in "
    'container: failed to start exec "5e5e": OCI runtime exec failed: exec failed: no such file',
}


class Kubelet:
    """The other side: sends messages as a server does (unmasked), and reads ours."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = WebSocket()
        self._reader.sock = connection

    def send(self, data: bytes, kind: int = ABNF.OPCODE_BINARY) -> None:
        frame = ABNF(1, 0, 0, 0, kind, 0, data)
        self._connection.sendall(frame.format())

    def receive(self) -> bytes:
        return bytes(self._reader.recv_data_frame()[1].data)

    def end(self) -> None:
        self.send(b"\x03\xe8", ABNF.OPCODE_CLOSE)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def sides() -> Iterator[tuple[WebSocket, Kubelet]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(SECONDS)
    websocket, kubelet = WebSocket(), Kubelet(theirs)
    websocket.sock, websocket.connected = ours, True
    yield websocket, kubelet
    kubelet.close()


def status(body: dict[str, Any]) -> bytes:
    return b"\x03" + json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "exit_code", "reason"),
    [
        ({"status": "Success"}, 0, None),
        (NON_ZERO, 3, None),
        (CANNOT_RUN, None, "OCI runtime exec failed: exec failed: no such file"),
        ({"status": "Failure", "message": "what?"}, None, "what?"),
    ],
)
def test_how_a_command_ended(sides: Any, body: Any, exit_code: Any, reason: Any) -> None:
    websocket, kubelet = sides
    for message in (b"\x01", b"\x01out ", b"\x02err ", b"\x01\xff", status(body)):
        kubelet.send(message)
    kubelet.end()

    ended = RunningCommand(websocket).wait(SECONDS)

    assert (ended.exit_code, ended.reason) == (exit_code, reason)
    assert ended.output == b"out err \xff"


def test_a_command_that_does_not_end_in_time(sides: Any) -> None:
    websocket, kubelet = sides
    kubelet.send(b"\x01begun")

    ended = RunningCommand(websocket).wait(0.05)

    assert (ended.exit_code, ended.reason, ended.output) == (None, None, b"begun")


def test_a_connection_that_breaks(sides: Any) -> None:
    websocket, kubelet = sides
    kubelet.close()

    ended = RunningCommand(websocket).wait(SECONDS)

    assert ended.exit_code is None
    assert "broke" in str(ended.reason)


def test_a_command_that_nobody_waits_for_any_more(sides: Any) -> None:
    websocket, _ = sides
    running = RunningCommand(websocket)
    closer = Thread(target=running.close)
    closer.start()

    assert running.wait(SECONDS).exit_code is None
    closer.join()


@pytest.fixture
def port(sides: Any) -> Iterator[tuple[socket.socket, Kubelet]]:
    """A forwarded port; kubelet has said which it is."""
    websocket, kubelet = sides
    with forward(websocket) as near:
        near.settimeout(SECONDS)
        kubelet.send(b"\x00\x90\x1f")
        kubelet.send(b"\x01\x90\x1f")
        yield near, kubelet
    with suppress(WebSocketException, OSError):
        while True:  # until our side has closed its own
            kubelet.receive()


def test_data_goes_both_ways(port: Any) -> None:
    near, kubelet = port
    near.sendall(b"question")
    assert kubelet.receive() == b"\x00question"
    kubelet.send(b"\x00answer")
    assert near.recv(100) == b"answer"


def test_a_port_at_which_nobody_listens(port: Any) -> None:
    near, kubelet = port
    kubelet.send(b"\x01failed to connect to localhost:8080: connection refused")

    assert near.recv(100) == b""


def test_what_was_sent_before_the_end_arrives(port: Any) -> None:
    near, kubelet = port
    sender = Thread(target=lambda: [kubelet.send(b"\x00" + bytes(1000)) for _ in range(3000)])
    sender.start()
    received = 0
    while received < 2_000_000:
        received += len(near.recv(1 << 16))
    sender.join()
    kubelet.end()
    while data := near.recv(1 << 16):
        received += len(data)

    assert received == 3_000_000


def test_what_was_sent_before_the_near_side_closed_arrives(port: Any) -> None:
    near, kubelet = port
    near.sendall(b"last words")
    near.close()

    assert kubelet.receive() == b"\x00last words"
    with pytest.raises((WebSocketException, OSError), match=r"lost|closed|reset"):
        kubelet.receive()


def test_a_near_side_that_only_stops_sending_still_reads(port: Any) -> None:
    near, kubelet = port
    near.shutdown(socket.SHUT_WR)
    kubelet.send(b"\x00late")

    assert near.recv(100) == b"late"


def test_a_websocket_that_is_refused() -> None:
    class Refused:
        body = None
        status = 0
        reason = (
            "Handshake status 404 Not Found -+-+- {'content-length': '1'} -+-+- "
            'b\'{"kind":"Status","message":"pods \\"x\\" not found","code":404}\\n\''
        )

    error = refusal(Refused(), "https://c")

    assert isinstance(error, ApiError)
    assert error.status == 404
    assert error.message == 'pods "x" not found'
