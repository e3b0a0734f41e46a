from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from typing import Any

import pytest
from kecs_server.credentials import Credentials

from pytest_kecs import admin
from pytest_kecs.admin import AdminClient
from pytest_kecs.admin import EngineState
from pytest_kecs.errors import AdminError
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import ServerGone
from pytest_kecs.events import Event
from pytest_kecs.events import EventPage
from pytest_kecs.logs import LogLine
from pytest_kecs.logs import LogPage
from pytest_kecs.logs import TextPage
from pytest_kecs.logs import TextPart

CREDENTIALS = Credentials("KECSAAAA", "secret")


class Peer:
    """An HTTP server that answers as it is told and remembers what it was asked.

    `answers` are taken one by one; None closes the connection instead.
    """

    def __init__(self, answers: list[tuple[int, Any] | None]) -> None:
        self.answers = answers
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.connections = 0

    def handle(self, stream: Any) -> None:
        self.connections += 1
        while request_line := stream.readline().decode().split():
            headers: dict[str, str] = {}
            while line := stream.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name] = value.strip()
            body = stream.read(int(headers.get("Content-Length", "0")))
            self.requests.append((*request_line[:2], headers, json.loads(body or "null")))
            answer = self.answers.pop(0)
            if answer is None:
                return
            payload = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
            head = f"HTTP/1.1 {answer[0]} X\r\nContent-Length: {len(payload)}\r\n\r\n"
            stream.write(head.encode() + payload)
            stream.flush()


@contextmanager
def serving(*answers: tuple[int, Any] | None) -> Iterator[tuple[Peer, AdminClient]]:
    peer = Peer(list(answers))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with self.connection.makefile("rwb") as stream:
                peer.handle(stream)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with AdminClient(f"http://127.0.0.1:{server.server_address[1]}", CREDENTIALS) as client:
                yield peer, client
        finally:
            server.shutdown()
            thread.join()


def test_health_is_typed() -> None:
    engines = {"process": {"state": "ready", "phase": "", "seconds": 1.5, "error": None}}
    said = {"name": "kecs-1", "version": "1", "pid": 7, "engine": "process", "lease": None}
    with serving((200, {**said, "engines": engines})) as (peer, client):
        health = client.health()
    assert health.pid == 7
    assert health.engines["process"] == EngineState(state="ready", seconds=1.5)
    method, path, headers, body = peer.requests[0]
    assert (method, path, body) == ("GET", "/_kecs/health", None)
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"KECSAAAA:secret"


def test_an_answer_of_another_version_is_said() -> None:
    state = {"state": "ready", "phase": "", "seconds": 1, "error": None, "colour": "green"}
    with serving((200, state), (200, {"phase": ""})) as (_, client):
        assert client.prepare().state == "ready"
        with pytest.raises(AdminError, match=r"not what this version expects.*'state'"):
            client.prepare()


KEY = {"access_key": "A", "secret_key": "S"}
CALLS: list[tuple[Callable[[AdminClient], Any], str, str, Any, Any, Any]] = [
    (
        lambda c: c.prepare("kind", wait=2, phase="p"),
        *("POST", "/prepare", {"engine": "kind", "wait": 2, "phase": "p"}),
        {"state": "starting", "phase": "q", "seconds": 1, "error": None},
        EngineState(state="starting", phase="q", seconds=1),
    ),
    (
        lambda c: c.begin_realm("t", images={"a": "b"}),
        *("POST", "/realms"),
        {
            "name": "t",
            "account": None,
            "engine": None,
            "aws_endpoint": None,
            "netns": None,
            "clock": None,
            "images": {"a": "b"},
        },
        *({"realm": "r1"}, "r1"),
    ),
    (lambda c: c.end_realm(), "POST", "/realms/end", {"keep": False}, {}, None),
    (
        lambda c: c.end_realm(keep=True),
        *("POST", "/realms/end", {"keep": True}, KEY, Credentials("A", "S")),
    ),
    (
        lambda c: c.new_key("111122223333"),
        *("POST", "/keys", {"account": "111122223333"}, KEY, Credentials("A", "S")),
    ),
    (
        lambda c: c.wait(3, timeout=5),
        *("POST", "/wait", {"since": 3, "timeout": 5}),
        {"version": 4, "deadline": 9.5, "timed_out": False},
        admin.Waited(version=4, deadline=9.5, timed_out=False),
    ),
    (
        lambda c: c.wait(3, deadline=9.5),
        *("POST", "/wait", {"since": 3, "deadline": 9.5}),
        {"version": 3, "deadline": 9.5, "timed_out": True},
        admin.Waited(version=3, deadline=9.5, timed_out=True),
    ),
    (
        lambda c: c.read_logs("arn:x/y", "a b", tail=3, cursor='{"x"}', wait=5),
        *("GET", "/logs?task=arn%3Ax%2Fy&container=a+b&tail=3&cursor=%7B%22x%22%7D&wait=5", None),
        {
            "containers": ["a b"],
            "lines": [[1.5, "a b", "stderr", "x\n"]],
            "cursor": "y",
            "more": False,
            "ended": True,
        },
        LogPage(
            containers=["a b"],
            lines=[LogLine(1.5, "a b", "stderr", "x\n")],
            cursor="y",
            more=False,
            ended=True,
        ),
    ),
    (
        lambda c: c.read_text("x", stream="stdout", cursor="[]"),
        *("GET", "/logs/text?task=x&stream=stdout&cursor=%5B%5D", None),
        {"containers": ["a"], "parts": [["a", "stdout", "x\n"]], "cursor": "y", "more": True},
        TextPage(containers=["a"], parts=[TextPart("a", "stdout", "x\n")], cursor="y", more=True),
    ),
    (
        lambda c: c.address("x", "web", 80, 5),
        *("POST", "/address", {"task": "x", "container": "web", "port": 80, "timeout": 5}),
        {"host": "127.0.0.1", "port": 9, "why": "", "timed_out": False},
        admin.Reached(host="127.0.0.1", port=9, why="", timed_out=False),
    ),
    (
        lambda c: c.read_events(3, wait=5),
        *("GET", "/events?after=3&wait=5", None),
        {
            "events": [
                {
                    "number": 5,
                    "id": "i",
                    "time": 1.5,
                    "source": "aws.ecs",
                    "detail_type": "ECS Service Action",
                    "account": "1",
                    "region": "r",
                    "resources": ["arn"],
                    "detail": '{"a": 1}',
                }
            ],
            "cursor": 5,
            "more": False,
            "missed": 1,
            "ended": False,
        },
        EventPage(
            events=[
                Event(
                    number=5,
                    id="i",
                    time=datetime.fromtimestamp(1.5, UTC),
                    source="aws.ecs",
                    detail_type="ECS Service Action",
                    account="1",
                    region="r",
                    resources=("arn",),
                    detail={"a": 1},
                )
            ],
            cursor=5,
            more=False,
            missed=1,
            ended=False,
        ),
    ),
    (
        lambda c: c.set_registry("arn", "db"),
        *("POST", "/registries", {"arn": "arn", "name": "db"}, {}, None),
    ),
    (lambda c: c.timeline(), "GET", "/timeline", None, {"entries": [{"at": 1}]}, [{"at": 1}]),
    (lambda c: c.report(7), "GET", "/report?log_lines=7", None, {"tasks": []}, {"tasks": []}),
    (
        lambda c: c.map_image("a:*", ["x"]),
        *("POST", "/images", {"pattern": "a:*", "stand_in": ["x"]}, {}, None),
    ),
    (
        lambda c: c.set_secret("a", "b", stage="s"),
        *("POST", "/secrets", {"name": "a", "value": "b", "stage": "s", "version": None}, {}, None),
    ),
    (
        lambda c: c.put_env_file("arn", "A=1"),
        *("POST", "/env-files", {"arn": "arn", "text": "A=1"}, {}, None),
    ),
    (lambda c: c.advance_clock(60), "POST", "/clock", {"advance": 60}, {"now": 7}, 7.0),
    (lambda c: c.reset(), "POST", "/reset", {}, {"tasks": 2}, {"tasks": 2}),
    (
        lambda c: c.lease(60, owner_pid=None),
        *("POST", "/lease", {"seconds": 60, "owner_pid": None}, {}, None),
    ),
    (lambda c: c.stop(), "POST", "/stop", {}, {}, None),
]


@pytest.mark.parametrize(("call", "method", "path", "body", "answer", "result"), CALLS)
def test_each_call(
    call: Callable[[AdminClient], Any], method: str, path: str, body: Any, answer: Any, result: Any
) -> None:
    with serving((200, answer)) as (peer, client):
        assert call(client) == result
    assert peer.requests[0][0:2] == (method, "/_kecs" + path)
    assert peer.requests[0][3] == body


def test_one_connection_serves_many_calls_of_a_thread() -> None:
    with serving(*[(200, {})] * 4) as (peer, client):
        client.stop()
        client.stop()
        assert peer.connections == 1
        other = threading.Thread(target=client.stop)
        other.start()
        other.join()
        assert peer.connections == 2
        client.close()
        client.stop()
        assert peer.connections == 3


def test_a_kept_connection_that_was_closed_is_made_anew_once() -> None:
    with serving((200, {"tasks": 1}), None, (200, {"tasks": 2}), None, None) as (peer, client):
        assert client.reset() == {"tasks": 1}
        assert client.reset() == {"tasks": 2}
        assert len(peer.requests) == 3
        with pytest.raises(ServerGone, match="is not there"):
            client.reset()
        assert len(peer.requests) == 5


@pytest.mark.parametrize("interrupted", ["putrequest", "putheader", "endheaders", "getresponse"])
def test_a_call_after_one_that_was_interrupted_is_clean(
    monkeypatch: pytest.MonkeyPatch, interrupted: str
) -> None:
    with serving(*[(200, {})] * 3) as (peer, client):
        client.stop()
        work = getattr(http.client.HTTPConnection, interrupted)

        def interrupt(*arguments: Any, **named: Any) -> None:
            work(*arguments, **named)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(http.client.HTTPConnection, interrupted, interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.stop()
        assert client.reset() == {}
        # The interrupted one may be read after it, from the connection that was given up.
        (reset,) = [each for each in peer.requests if each[1] == "/_kecs/reset"]
        assert reset[2]["Authorization"].startswith("Basic ")


def test_a_new_connection_that_is_closed_is_not_tried_again() -> None:
    with serving(None) as (peer, client):
        with pytest.raises(ServerGone, match=client.endpoint):
            client.health()
        assert len(peer.requests) == 1


def test_a_refusal_carries_status_and_text() -> None:
    with serving((404, {"error": "no task has the id 'x'"}), (200, {})) as (_, client):
        with pytest.raises(AdminError, match="no task has the id 'x'") as caught:
            client.read_logs("x")
        assert caught.value.status == 404
        client.stop()


@pytest.mark.parametrize("answer", [(200, b"<html>"), (503, b"<html>"), (200, [])])
def test_another_program_on_the_port_is_recognised(answer: tuple[int, Any]) -> None:
    with (
        serving(answer) as (_, client),
        pytest.raises(AdminError, match="no kecs server"),
    ):
        client.reset()


def test_nobody_on_the_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        AdminClient(f"http://127.0.0.1:{port}", CREDENTIALS) as client,
        pytest.raises(ServerGone, match="refused"),
    ):
        client.health()


def test_silence_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            AdminClient(endpoint, CREDENTIALS) as client,
            pytest.raises(ServerGone, match="did not answer within"),
        ):
            client.health()


def test_a_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving((200, {})) as (_, client):
        client.stop()


def test_a_forked_process_has_a_connection_of_its_own() -> None:
    with serving((200, {}), (200, {}), (200, {})) as (peer, client):
        client.stop()
        child = os.fork()
        if child == 0:
            client.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        client.stop()
        assert peer.connections == 2


@pytest.mark.parametrize("endpoint", ["", "https://a:1", "127.0.0.1:80", "http://", "http://a:x"])
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidSetting, match="http://HOST:PORT"):
        AdminClient(endpoint, CREDENTIALS)
