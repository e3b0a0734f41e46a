"""What load balancers carry to targets: HTTP, upgraded and plain connections; and what they say
when there is no answer.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from typing import cast

import pytest
from kecs_server.domain.deploying import begin
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.service import Service
from kecs_server.domain.target import DRAINING
from kecs_server.domain.target import GONE
from kecs_server.domain.target import HEALTHY
from kecs_server.domain.target import INITIAL
from kecs_server.domain.target import UNHEALTHY
from kecs_server.domain.target import HealthCheck
from kecs_server.domain.target import Target
from kecs_server.domain.task import Task
from kecs_server.network.network import Network
from kecs_server.scheduler.targets import TargetChecked
from kecs_server.scheduler.targets import TargetIdle
from kecs_server.state.realm import Realm
from kecs_server.traffic.balancers import Balancers
from kecs_server.traffic.view import load_balancer_view
from made_tasks import made_definition
from made_tasks import made_task

TIMEOUT = 20.0
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
BODY = {"containerDefinitions": [{"name": "web", "image": "i"}]}

Serve = Callable[[socket.socket], object]


class World:
    """A realm, its load balancers, and servers of this process in the place of tasks."""

    def __init__(self) -> None:
        self.seen: queue.Queue[Any] = queue.Queue()
        """What the load balancers observe."""
        self.balancers = Balancers(cast("Network", self), self.seen.put)
        self.realm = Realm(id="r", name="r", engine="process", images={}, wake=lambda realm: None)
        self.group = self.realm.target_group(GROUP)
        self._addresses: dict[str, tuple[str, int]] = {}
        self._stack = ExitStack()
        self.add_service("one")

    def add_service(self, name: str) -> None:
        service = Service(
            name=name,
            arn=f"arn:aws:ecs:us-east-1:123456789012:service/c/{name}",
            cluster_arn="arn:c",
            created_at=0.0,
            created_by="me",
            desired_count=1,
            scheduling_strategy="REPLICA",
            deployment_configuration={},
            request={},
            settings={},
        )
        balancer = {"targetGroupArn": GROUP, "containerName": "web", "containerPort": 80}
        deployment = Deployment(
            number="1",
            task_definition=made_definition(BODY),
            created_at=0.0,
            updated_at=0.0,
            launch_type="EC2",
            settings={"loadBalancers": [balancer]},
        )
        begin(service, deployment, 0.0)
        self.balancers.service_changed(self.realm, service)

    def connect(self, task_id: str, container: str, port: int) -> socket.socket:
        """In the network's place."""
        return socket.create_connection(self._addresses[task_id], timeout=TIMEOUT)

    def add(self, serve: Serve | None, state: str = HEALTHY) -> Task:
        """A task, each of whose connections `serve` has on a thread; None: it accepts none."""
        task = made_task(BODY)
        listener = socket.create_server(("127.0.0.1", 0))
        self._addresses[task.id] = listener.getsockname()
        if serve is None:
            listener.close()
        else:
            self._stack.callback(listener.close)
            self._stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes the thread
            threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
        task.targets = (Target(group=self.group, container="web", port=80, revision="1"),)
        self.move(task, state)
        return task

    def move(self, task: Task, state: str) -> None:
        task.targets[0].state = state
        self.balancers.task_changed(self.realm, task)

    def view(self) -> dict[str, Any]:
        return load_balancer_view(self.balancers, self.realm, GROUP, test=False)

    def open(self) -> socket.socket:
        """A connection to the load balancer."""
        view = self.view()
        return self._stack.enter_context(
            socket.create_connection((view["host"], view["port"]), timeout=TIMEOUT)
        )

    def ask(
        self, request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    ) -> bytes:
        """All that is answered."""
        client = self.open()
        client.sendall(request)
        return rest(client)

    def observed(self, kind: type[Any]) -> Any:
        observation = self.seen.get(timeout=TIMEOUT)
        assert isinstance(observation, kind)
        return observation

    def check(self, task: Task, **settings: Any) -> str | None:
        """What a health check finds."""
        self.group.check = HealthCheck(**settings)
        self.balancers.check(self.realm, task, task.targets[0])
        problem: str | None = self.observed(TargetChecked).problem
        return problem

    def close(self) -> None:
        self.balancers.close()
        self._stack.close()


def _accept(listener: socket.socket, serve: Serve) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(peer, serve), daemon=True).start()


def _serve(peer: socket.socket, serve: Serve) -> None:
    with peer:
        peer.settimeout(TIMEOUT)
        serve(peer)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def rest(peer: socket.socket) -> bytes:
    """All up to the end."""
    return b"".join(iter(lambda: peer.recv(1 << 16), b""))


def exactly(peer: socket.socket, size: int) -> bytes:
    """So many bytes, in however many pieces they come, or what comes up to the end."""
    found = b""
    while len(found) < size and (piece := peer.recv(size - len(found))):
        found += piece
    return found


def head(peer: socket.socket) -> bytes:
    """What comes up to an empty line."""
    found = b""
    while not found.endswith(b"\r\n\r\n") and (byte := peer.recv(1)):
        found += byte
    return found


def says(status: int, body: bytes = b"") -> Serve:
    def serve(peer: socket.socket) -> None:
        if head(peer):
            peer.sendall(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
            peer.sendall(body)

    return serve


def resets(peer: socket.socket) -> None:
    head(peer)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def echoes(peer: socket.socket) -> None:
    while data := peer.recv(1 << 16):
        peer.sendall(data)


def upgrades(peer: socket.socket) -> None:
    """Becomes an echo, and says so with the first bytes of it."""
    asked = head(peer).lower()
    assert b"connection: upgrade\r\n" in asked
    assert b"upgrade: websocket\r\n" in asked
    peer.sendall(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi ")
    echoes(peer)


UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_connections_are_forwarded_as_they_are(world: World) -> None:
    world.group.protocol = "TCP"
    world.add(None)
    task = world.add(echoes)
    client = world.open()
    client.sendall(b"\x00no HTTP")
    client.shutdown(socket.SHUT_WR)
    assert rest(client) == b"\x00no HTTP"
    assert world.view()["counts"] == {"1": 1}
    world.move(task, GONE)
    with pytest.raises(ConnectionResetError):
        world.open().recv(1)


def test_what_is_upgraded_is_a_plain_connection_until_its_target_ends(world: World) -> None:
    task = world.add(upgrades)
    client = world.open()
    client.sendall(UPGRADE + b"early ")
    assert head(client).startswith(b"HTTP/1.1 101 ")
    assert exactly(client, 9) == b"hi early "
    world.move(task, DRAINING)
    client.sendall(b"more")
    assert exactly(client, 4) == b"more"
    assert world.seen.empty()
    client.shutdown(socket.SHUT_WR)
    assert rest(client) == b""
    assert world.observed(TargetIdle).task_id == task.id


def test_a_target_that_does_not_upgrade(world: World) -> None:
    world.add(says(426, b"no"))
    client = world.open()
    for _ in range(2):  # the connection is one of HTTP still
        client.sendall(UPGRADE)
        assert head(client).startswith(b"HTTP/1.1 426 ")
        assert exactly(client, 2) == b"no"


def test_who_accepts_no_connection_is_passed_over(world: World) -> None:
    world.add(None)
    task = world.add(says(200, b"there"))
    assert [world.ask()[-5:] for _ in range(2)] == [b"there"] * 2
    world.move(task, GONE)
    assert world.ask().startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("serve", [resets, head, lambda peer: peer.sendall(b"\x00no HTTP\r\n\r\n")])
def test_a_target_that_gives_no_answer(world: World, serve: Serve) -> None:
    world.add(serve)
    assert world.ask().startswith(b"HTTP/1.1 502 ")


def test_an_answer_that_breaks_off_is_not_taken_for_complete(world: World) -> None:
    def serve(peer: socket.socket) -> None:
        head(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    world.add(serve)
    client = world.open()
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        rest(client)


def test_requests_that_are_none(world: World) -> None:
    world.add(rest)
    assert world.ask(b"\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_who_gets_requests(world: World) -> None:
    assert world.ask().startswith(b"HTTP/1.1 503 ")
    world.add(says(200, b"new"), INITIAL)
    assert world.ask().startswith(b"HTTP/1.1 503 ")
    task = world.add(says(200, b"sick"), UNHEALTHY)
    assert world.ask().endswith(b"sick")  # nobody else could
    world.move(task, HEALTHY)
    assert world.ask().endswith(b"sick")
    world.add(says(200, b"well"))
    world.move(task, UNHEALTHY)
    assert [world.ask()[-4:] for _ in range(2)] == [b"well"] * 2


def test_a_request_that_takes_long_keeps_its_target(world: World) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def serve(peer: socket.socket) -> None:
        begun.set()
        go_on.wait(TIMEOUT)
        says(200, b"at last")(peer)

    task = world.add(serve)
    client = world.open()
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert begun.wait(TIMEOUT)
    world.move(task, DRAINING)
    assert world.ask().startswith(b"HTTP/1.1 503 ")  # nothing new
    assert world.seen.empty()
    go_on.set()
    assert rest(client).endswith(b"at last")
    assert world.observed(TargetIdle).task_id == task.id


def test_a_health_check(world: World) -> None:
    asked: queue.Queue[bytes] = queue.Queue()

    def serve(peer: socket.socket) -> None:
        asked.put(head(peer))
        peer.sendall(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n")

    task = world.add(serve)
    assert world.check(task) is None
    assert asked.get(timeout=TIMEOUT) == b""
    assert world.check(task, path="/health", matcher="200-399") is None
    request = asked.get(timeout=TIMEOUT)
    assert request.startswith(b"GET /health HTTP/1.1\r\n")
    assert b"User-Agent: ELB-HealthChecker/2.0\r\n" in request
    wrong = "Health checks failed with these codes: [301]"
    assert world.check(task, path="/health") == wrong
    silent = world.add(rest)
    assert world.check(silent, path="/", timeout=0.01) == "Request timed out"
    for serve_no_http in (resets, lambda peer: peer.sendall(b"\x00no HTTP\r\n\r\n")):
        assert world.check(world.add(serve_no_http), path="/") == "Health checks failed"
    assert world.check(world.add(None)) == "Health checks failed"
