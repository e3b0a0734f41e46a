"""Networks of tasks: who makes them, what holds them, and why they cannot be had."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import python
from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.ways_out import OwnNetwork
from kecs_server.engines.base import KILLED
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Mount
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.process import namespaces
from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.namespaces import Namespaces
from kecs_server.engines.process.namespaces import why_not

OWN = OwnNetwork(addresses=("10.0.2.2",), hosts={"host.kecs.internal": "10.0.2.2"})

# Listens at localhost, says so, and answers who asks with its name and network.
SERVE = """
import os, socket, sys
fifo, name = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 8080))
with open(fifo, "w") as told:
    told.write("listens\\n")
while True:
    peer, _ = listener.accept()
    peer.sendall(f"{name} {os.readlink('/proc/self/ns/net')} {os.getuid()}".encode())
    peer.close()
"""


@pytest.fixture
def networks() -> Iterator[Namespaces]:
    try:
        made = Namespaces({})
    except EngineError as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.fixture
def served(networks: Namespaces, driver: Driver) -> Driver:
    """An engine on a system where networks can be had."""
    return driver


def serve(driver: Driver, fifo: Fifo, name: str) -> str:
    command = python(SERVE, fifo.path, name)
    task = driver.start(*command, hosts=OWN.hosts, task={"own_network": OWN})
    assert fifo.read_line() == "listens"
    driver.wait(ContainerStarted, task)
    return task


def makers() -> list[psutil.Process]:
    """Our child processes that make networks."""
    return [each for each in psutil.Process().children() if "netns" in each.cmdline()]


def held(process: psutil.Process) -> int:
    """How many networks it keeps, with its own."""
    folder = f"/proc/{process.pid}/fd"
    return sum(os.readlink(f"{folder}/{fd}").startswith("net:") for fd in os.listdir(folder))


def listen(network: Namespace, address: str, port: int) -> socket.socket:
    made = network.open(socket.AF_INET, socket.SOCK_STREAM)
    made.bind((address, port))
    made.listen()
    return made


def ask(network: Namespace, address: str, port: int) -> str:
    """The answer of who listens there, as seen from the network."""
    with network.open(socket.AF_INET, socket.SOCK_STREAM) as near:
        near.settimeout(20)
        near.connect((address, port))
        return near.recv(100).decode()


@contextmanager
def answering(listener: socket.socket, answer: str) -> Iterator[None]:
    """Answer the next peer."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(answer.encode())

    with listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_all_addresses_and_ports_are_its_own(networks: Namespaces) -> None:
    """What it reaches is none of them: who listens everywhere is not in the way."""
    one, two, none = (networks.make(each) for each in (["10.0.2.2"], ["10.0.2.2"], []))
    with ExitStack() as stack:
        for name, each in {"one": one, "two": two}.items():
            stack.enter_context(answering(listen(each, "0.0.0.0", 80), f"{name} inside"))
            stack.enter_context(answering(each.face("10.0.2.2", 80), f"{name} outside"))
        for name, each in {"two": two, "one": one}.items():
            assert ask(each, "127.0.0.1", 80) == f"{name} inside"
            assert ask(each, "10.0.2.2", 80) == f"{name} outside"
        with pytest.raises(ConnectionRefusedError):
            ask(one, "10.0.2.2", 81)
        for each, address in ((one, "10.0.2.3"), (none, "10.0.2.2")):
            with pytest.raises(OSError, match="unreachable"):
                ask(each, address, 80)


@pytest.fixture
def filtered(networks: Namespaces) -> Namespace:
    """A network whose packets can be lost, where the kernel can filter."""
    made = networks.make(["10.0.2.2", "10.0.2.3"])
    hole = BlackHole(is_egress=True, protocol="udp", port=1)
    try:
        made.lose(hole)
    except OSError as error:
        pytest.skip(f"the kernel has no nf_tables: {error}")
    made.keep(hole)
    return made


def is_reached(network: Namespace, address: str, port: int) -> bool:
    with network.open(socket.AF_INET, socket.SOCK_STREAM) as near:
        near.settimeout(0.2)
        try:
            near.connect((address, port))
        except TimeoutError:
            return False
        return True


ALL = ("0.0.0.0/0", "::/0")


@pytest.mark.parametrize(
    ("fault", "reached"),
    [
        (BlackHole(is_egress=True, protocol="tcp", port=80), [False, False, True, False]),
        (BlackHole(is_egress=False, protocol="tcp", port=80), [True, True, True, False]),
        (BlackHole(is_egress=True, protocol="udp", port=80), [True, True, True, True]),
        (
            BlackHole(is_egress=True, protocol="tcp", port=80, spared=("10.0.2.3/32", "::1")),
            [False, True, True, False],
        ),
        (PacketLoss(percent=100, sources=("10.0.2.2",)), [False, True, False, True]),
        (PacketLoss(percent=100, sources=ALL, spared=("10.0.2.2",)), [True, False, True, True]),
    ],
)
def test_packets_are_lost(
    filtered: Namespace, fault: BlackHole | PacketLoss, reached: list[bool]
) -> None:
    places = [("10.0.2.2", 80), ("10.0.2.3", 80), ("10.0.2.2", 81), ("127.0.0.1", 80)]
    with ExitStack() as stack:
        for address, port in places[:3]:
            stack.enter_context(filtered.face(address, port))
        stack.enter_context(listen(filtered, "0.0.0.0", 80))
        filtered.lose(fault)
        assert [is_reached(filtered, *place) for place in places] == reached
        filtered.keep(fault)
        assert [is_reached(filtered, *place) for place in places] == [True] * 4


def test_a_part_of_the_packets_is_lost(filtered: Namespace) -> None:
    filtered.lose(PacketLoss(percent=50, sources=ALL))
    lost = 0
    for _ in range(100):
        with filtered.open(socket.AF_INET, socket.SOCK_DGRAM) as near:
            try:  # what the filter drops on its way out is refused
                near.sendto(b"x", ("10.0.2.2", 9))
            except PermissionError:
                lost += 1
    assert 10 < lost < 90


def test_one_that_was_dropped_cannot_be_entered(networks: Namespaces) -> None:
    made = networks.make([])
    made.drop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        made.open(socket.AF_INET, socket.SOCK_STREAM)
    assert networks.make([]).number == made.number  # nothing of it is held


def test_who_is_gone_makes_nothing(networks: Namespaces) -> None:
    made = networks.make([])
    [maker] = makers()
    maker.kill()
    maker.wait()
    for use in (lambda: networks.make([]), lambda: made.face("10.0.2.2", 80)):
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            use()
    made.drop()


def test_tasks_have_one_localhost_each(served: Driver, fifo: Fifo) -> None:
    tasks = {name: serve(served, fifo, name) for name in ("one", "two")}
    seen = set()
    for name, task in tasks.items():
        assert served.engine.locate(task, "app", 8080) is None
        with served.engine.connect(task, "app", 8080) as peer:
            who, network, uid = peer.recv(100).decode().split()
        assert (who, uid) == (name, str(os.getuid()))
        seen.add(network)
    assert len(seen | {os.readlink("/proc/self/ns/net")}) == 3
    with pytest.raises(ConnectionRefusedError, match=r"on port 8081, it does on 8080$"):
        served.engine.connect(tasks["one"], "app", 8081)


def test_the_server_listens_for_a_task(served: Driver, fifo: Fifo) -> None:
    task = serve(served, fifo, "one")
    with served.engine.listen(task, "10.0.2.2", 80) as listener:
        ask = "import socket; socket.create_connection(('host.kecs.internal', 80)).sendall(b'x')"
        result = served.engine.execute(task, "app", python(ask), 20)
        listener.settimeout(20)
        with listener.accept()[0] as peer:
            assert peer.recv(1) == b"x"
    assert result.result(20).exit_code == 0
    other = served.start("sleep", "60")
    with pytest.raises(ConnectionRefusedError, match="no network of its own"):
        served.engine.listen(other, "127.0.0.1", 80)


def test_nothing_is_held_after_the_end(served: Driver, fifo: Fifo) -> None:
    task = serve(served, fifo, "one")
    [maker] = [each for each in makers() if held(each) > 1]
    served.engine.remove(task)
    served.wait(Removed, task)
    assert held(maker) == 1
    served.engine.close()
    assert not maker.is_running()


def test_another_makes_networks_when_the_first_is_killed(served: Driver, fifo: Fifo) -> None:
    """What runs in the old ones ends, since nothing leads there any more."""
    old = serve(served, fifo, "one")
    [maker] = [each for each in makers() if held(each) > 1]
    maker.kill()
    new = serve(served, fifo, "two")
    with served.engine.connect(new, "app", 8080) as peer:
        assert peer.recv(100).startswith(b"two ")
    reason = "the process that makes networks for tasks ended unexpectedly"
    assert served.wait(TaskEnding, old).reason == reason
    assert served.wait(ContainerStopped, old).exit_code == KILLED
    assert "TaskEnding" not in served.of(new)
    for task in (old, new):
        served.engine.remove(task)
        served.wait(Removed, task)


WRITE = """
for each in app/one app/two app/host app/all "$KECS_VOLUME_ONE"; do
    (: > "$each/mine") 2>/dev/null && echo "$each"
done
app/one/put && : > own && exit 7
"""


def test_a_volume_that_is_read_only(served: Driver, tmp_path: Path) -> None:
    """For one container, with commands run in it; unless it has a mount to write to, or has its own
    directories in it.
    """
    host = tmp_path / "host"
    host.mkdir()
    volumes = (
        Volume(name="one", kind=VolumeKind.TASK),
        Volume(name="two", kind=VolumeKind.TASK),
        Volume(name="host", kind=VolumeKind.HOST, source=str(host)),
        Volume(name="all", kind=VolumeKind.HOST, source=str(tmp_path)),
    )
    put = "printf '#!/bin/sh\necho run\n' > one/put; chmod +x one/put"
    mounts = (
        Mount(volume="one", path="/app/one", read_only=True),
        Mount(volume="two", path="/app/two", read_only=True),
        Mount(volume="two", path="/app/again"),
        Mount(volume="host", path="/app/host", read_only=True),
        Mount(volume="all", path="/app/all", read_only=True),
    )
    task = served.provision(
        container("sh", "-c", put, name="first", mounts=(Mount(volume="one", path="/one"),)),
        container("sh", "-c", WRITE, mounts=mounts),
        container("app/one/put", name="program", mounts=mounts),
        container("sleep", "600", name="stays", mounts=mounts),
        own_network=OWN,
        volumes=volumes,
    )
    for name, code in (("first", 0), ("app", 7), ("program", 0)):
        served.engine.start_container(task, name)
        stopped = served.wait(ContainerStopped, task, name)
        assert (stopped.exit_code, stopped.reason) == (code, None), served.logs(task, name)
    written = served.stdout(task).decode().splitlines()
    assert written == ["app/two", "app/all", "run"]
    served.engine.start_container(task, "stays")
    served.wait(ContainerStarted, task, "stays")
    for folder, code in (("one", 1), ("two", 0)):
        command = [*python(f"open('app/{folder}/mine', 'w')")]
        assert served.engine.execute(task, "stays", command, 20).result(20).exit_code == code
    served.remove(task)


def test_where_networks_cannot_be_had_the_task_says_why(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("kecs_netns: no")

    monkeypatch.setattr("kecs_server.engines.process.networks.Namespaces", refuse)
    driver.engine.provision(
        TaskSpec(
            task_id="0" * 32,
            task_arn="arn",
            family="f",
            containers=(container("sleep", "60"),),
            own_network=OWN,
        )
    )
    lost = driver.wait(TaskLost, "0" * 32)
    assert lost.reason == "the task's network could not be made: kecs_netns: no"


def test_what_fails_first_is_told_and_nothing_more_is_tried(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network is made for a task that cannot be")

    monkeypatch.setattr("kecs_server.engines.process.networks.Namespaces", refuse)
    driver.engine.provision(
        TaskSpec(
            task_id="0" * 32,
            task_arn="arn",
            family="f",
            containers=(container("sleep", "60", name="../app"),),
            own_network=OWN,
        )
    )
    lost = driver.wait(TaskLost, "0" * 32)
    assert lost.reason.startswith("the task's directory could not be made: '../app' is not a name")


@pytest.mark.parametrize(
    ("switches", "advice"),
    [
        (
            {"kernel/apparmor_restrict_unprivileged_userns": "1"},
            "AppArmor keeps ordinary users from it, as on Ubuntu since 24.04: "
            "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows it",
        ),
        (
            {"kernel/unprivileged_userns_clone": "0"},
            "`sudo sysctl kernel.unprivileged_userns_clone=1`",
        ),
        ({"user/max_user_namespaces": "0"}, "`sudo sysctl user.max_user_namespaces=15000`"),
        ({"user/max_net_namespaces": "0"}, "`sudo sysctl user.max_net_namespaces=15000`"),
        (
            {"kernel/apparmor_restrict_unprivileged_userns": "0"},
            "In a container the runtime may keep it from you",
        ),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(
    switches: dict[str, str | None], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces.os, "geteuid", lambda: 1000)
    text = why_not("map", errno.EPERM, switches)
    assert text.startswith(
        "kecs_netns: this system does not let an ordinary user make a user in a user namespace: "
        "operation not permitted. "
    )
    assert advice in text
    assert text.endswith("Or turn kecs_netns off: then all tasks share the machine's network.")


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EngineError, match="only Linux has network namespaces"):
        Namespaces({})
