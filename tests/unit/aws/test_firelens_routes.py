"""The way of lines to a router: what is sent, when it is sent again, when it is given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import pytest
from kecs_server.aws import firelens
from kecs_server.aws.firelens import Firelens
from kecs_server.aws.forward import Connection
from kecs_server.aws.forward import encoded
from kecs_server.aws.pool import Pool
from kecs_server.domain.task import Task
from kecs_server.engines.base import Observation
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogEntry
from kecs_server.scheduler.agent import LinesRouted
from made_tasks import made_task

PATIENCE = 10.0

APP = {"name": "app", "image": "i", "logConfiguration": {"logDriver": "awsfirelens"}}


class Server:
    """Takes connections in a thread, as many as it is asked for, and keeps what they bring."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._changed = threading.Condition()
        self._ends: list[socket.socket] = []

    def connect(self, *_: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._ends.append(theirs)
        number = len(self.got)
        self.got.append(b"")
        threading.Thread(target=self._serve, args=(number, theirs), daemon=True).start()
        return ours

    def hang_up(self) -> None:
        self._ends[-1].shutdown(socket.SHUT_RDWR)

    def wait(self, number: int, data: bytes) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.got[number:][:1] == [data], PATIENCE)

    def _serve(self, number: int, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                with self._changed:
                    self.got[number] += data
                    self._changed.notify_all()


@pytest.fixture
def server() -> Server:
    return Server()


def test_the_message_of_the_protocol() -> None:
    message = encoded("app", [(1.5, {"log": "a\udcff"}), (2.0, {"log": ""})])
    tag, entries, options = msgpack.unpackb(message, raw=True)
    assert (tag, options) == (b"app", {b"size": 2})
    assert entries == [
        [msgpack.ExtType(0, b"\0\0\0\x01\x1d\xcd\x65\0"), {b"log": b"a\xff"}],
        [msgpack.ExtType(0, b"\0\0\0\x02\0\0\0\0"), {b"log": b""}],
    ]


def test_a_connection_is_kept_and_made_anew_when_the_other_end_has_closed(server: Server) -> None:
    connection = Connection(server.connect)
    connection.send(b"a")
    connection.send(b"b")
    server.wait(0, b"ab")
    server.hang_up()
    connection.send(b"c")
    server.wait(1, b"c")
    connection.close()
    assert server.got == [b"ab", b"c"]


def test_closing_waits_until_all_was_read(server: Server) -> None:
    connection = Connection(server.connect)
    connection.close()
    connection.send(b"x" * 1_000_000)
    connection.close()
    assert server.got == [b"x" * 1_000_000]


class World:
    """A task with a router, and the log of the container that logs to it."""

    def __init__(self, directory: Path) -> None:
        router = {"name": "router", "image": "i", "firelensConfiguration": {"type": "fluentd"}}
        self.task: Task = made_task({"containerDefinitions": [APP, router]}, launch_type="EC2")
        self.log = ContainerLog(directory)
        self.log.begin()
        self.task.container("app").started = True
        self.pool = Pool("test", 2)
        self.told = threading.Event()

    def logs(self, task_id: str, container: str) -> ContainerLog:
        assert (task_id, container) == (self.task.id, "app")
        return self.log

    def observe(self, observation: Observation) -> None:
        assert observation == LinesRouted(task_id=self.task.id, container="app")
        self.told.set()

    def write(self, text: bytes) -> None:
        self.log.append([LogEntry(time.time(), "stdout", text)])

    def follow(self, connect: firelens.Connect) -> Firelens:
        watcher = Firelens(self.pool, connect, lambda: self, self.observe)  # type: ignore[arg-type, return-value]
        watcher.task_changed(None, self.task)  # type: ignore[arg-type]
        return watcher


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.pool.close()


def refuse(*_: object) -> socket.socket:
    raise ConnectionRefusedError("nobody listens")


def lines(data: bytes) -> list[str]:
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    return [record["log"] for _, entries, _ in unpacker for _, record in entries]


def test_lines_wait_for_the_router(world: World, server: Server) -> None:
    tries = iter([refuse, refuse])
    world.follow(lambda *_: next(tries, server.connect)())
    world.write(b"one\ntwo\n")
    world.write(b"three")
    assert not world.told.is_set()
    world.log.end()
    assert world.told.wait(PATIENCE)
    assert lines(server.got[0]) == ["one", "two", "three"]


class BusyLog(ContainerLog):
    """As that of a Pod: who begins to listen waits for a thread that has something to tell."""

    __slots__ = ("free",)

    @contextmanager
    def listening(self, callback: Callable[[], None]) -> Iterator[None]:
        assert self.free.wait(PATIENCE)
        with super().listening(callback):
            teller = threading.Thread(target=callback)
            teller.start()
            teller.join(PATIENCE)
            assert not teller.is_alive()
            yield


def test_nobody_waits_for_a_log_but_the_job(world: World, server: Server, tmp_path: Path) -> None:
    world.log = BusyLog(tmp_path)
    world.log.free = threading.Event()
    world.log.begin()
    world.follow(server.connect)
    world.write(b"one\n")
    world.log.free.set()
    world.log.end()
    assert world.told.wait(PATIENCE)
    assert lines(server.got[0]) == ["one"]


def test_a_container_that_wrote_nothing(world: World) -> None:
    world.follow(refuse)
    world.log.end()
    assert world.told.wait(PATIENCE)


def test_a_router_that_never_listens_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(firelens, "PATIENCE", 0.1)
    world.follow(refuse)
    world.write(b"one\n")
    assert not world.told.wait(0.2)
    world.log.end()
    assert world.told.wait(PATIENCE)
    assert f"the router of task {world.task.id} takes no lines: nobody listens" in caplog.text


def test_a_router_that_has_ended_is_given_up_at_once(world: World) -> None:
    world.task.container("router").last_status = "STOPPED"
    world.follow(refuse)
    world.write(b"one\n")
    world.log.end()
    assert world.told.wait(PATIENCE)


def test_who_does_not_log_to_it_is_not_followed(world: World) -> None:
    world.task.container("app").lines_routed = True
    watcher = world.follow(refuse)
    assert watcher._routes == {}
