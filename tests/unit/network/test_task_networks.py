"""Where the programs of a task are told to listen, and what leads there."""

from __future__ import annotations

import resource
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from typing import cast

import pytest
from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import Latency
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import HOST_NAME
from kecs_server.domain.ways_out import Place
from kecs_server.domain.ways_out import WayOut
from kecs_server.engines.base import Engine
from kecs_server.engines.open_files import SPARE
from kecs_server.network import addresses
from kecs_server.network.host_ports import PortError
from kecs_server.network.network import Network
from made_tasks import made_task

linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.1 is all there is")
WEB = {"containerPort": 8080}


class OneListener:
    """An engine in which something listens on one port, at an address that `locate` tells."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = 8080
        self.address: str | None = "127.0.0.1"
        self.inside: dict[tuple[str, int], tuple[str, int]] = {}
        self.losing: list[BlackHole | PacketLoss] = []

    def locate(self, task_id: str, container: str, port: int) -> str | None:
        self._check(port)
        return self.address

    def connect(
        self, task_id: str, container: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        self._check(port)
        return socket.create_connection(self.server.getsockname(), timeout=20)

    def listen(self, task_id: str, address: str, port: int) -> socket.socket:
        if (address, port) in self.inside:
            raise OSError("it is taken")
        made = socket.create_server(("127.0.0.1", 0))
        self.inside[address, port] = made.getsockname()
        return made

    def lose_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        self.losing.append(fault)

    def keep_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        self.losing.remove(fault)

    def _check(self, port: int) -> None:
        if port != self.port:
            raise ConnectionRefusedError(f"nobody listens on {port}")


@pytest.fixture
def engine() -> Iterator[OneListener]:
    engine = OneListener()
    yield engine
    engine.server.close()


@pytest.fixture
def network(engine: OneListener) -> Iterator[Network]:
    network = Network(lambda name: cast("Engine", engine))
    yield network
    network.close()


def make_task(mode: str, **containers: list[dict[str, Any]]) -> Task:
    definitions = [
        {"name": name, "image": "i", "portMappings": mappings}
        for name, mappings in containers.items()
    ]
    return made_task({"networkMode": mode, "containerDefinitions": definitions})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def leads(address: tuple[str, int], engine: OneListener) -> bool:
    """Whether a connection to the address arrives at the engine's listener."""
    with socket.create_connection(address, timeout=20) as near:
        near.sendall(b"x")
        far, _ = engine.server.accept()
        with far:
            return far.recv(1) == b"x"


@linux
def test_containers_of_bridge_tasks_have_addresses_of_their_own(network: Network) -> None:
    told = [
        network.attach(make_task("bridge", web=[dict(WEB)], db=[]), "process").addressing
        for _ in range(2)
    ]
    hosts = {addressing.host for each in told for addressing in each.values()}
    assert len(hosts) == 4
    assert "127.0.0.1" not in hosts
    web = told[0]["web"]
    assert web.ports == {8080: 8080}
    assert web.peers == {"web": web.host, "db": told[0]["db"].host}
    assert web.variables() == {
        "KECS_HOST": web.host,
        "KECS_PORT_8080": "8080",
        "KECS_PEER_WEB": web.host,
        "KECS_PEER_DB": told[0]["db"].host,
    }


@linux
def test_containers_of_an_awsvpc_task_share_an_address(network: Network) -> None:
    told = network.attach(make_task("awsvpc", web=[dict(WEB)], db=[]), "process").addressing
    assert told["web"].host == told["db"].host == told["web"].peers["db"] != "127.0.0.1"


@pytest.mark.parametrize(
    ("mode", "mapping"),
    [("host", WEB), ("bridge", {"containerPort": 8080, "hostPort": 8080})],
)
def test_where_the_port_of_the_host_is_the_programs_own(
    network: Network, mode: str, mapping: dict[str, Any]
) -> None:
    told = network.attach(make_task(mode, web=[dict(mapping)]), "process").addressing["web"]
    assert (told.host, told.ports) == ("127.0.0.1", {8080: 8080})


def test_containers_of_a_pod_listen_everywhere(network: Network) -> None:
    told = network.attach(make_task("bridge", web=[dict(WEB)], my_db=[]), "kind").addressing["web"]
    assert (told.host, told.ports) == ("0.0.0.0", {8080: 8080})
    assert told.variables()["KECS_PEER_MY_DB"] == "127.0.0.1"


def test_without_addresses_the_ports_are_free_ones(
    network: Network, engine: OneListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a program that listens on its own port in spite of that is found as well."""
    monkeypatch.setattr(addresses, "_has_many", lambda: False)
    tasks = [make_task("awsvpc", web=[dict(WEB)]) for _ in range(2)]
    told = [network.attach(task, "process").addressing["web"] for task in tasks]
    assert [each.host for each in told] == ["127.0.0.1"] * 2
    assert len({each.ports[8080] for each in told} | {8080}) == 3
    for task, listened in ((tasks[0], told[0].ports[8080]), (tasks[1], 8080)):
        engine.port = listened
        assert leads(network.reach(task.id, "web", 8080), engine)


def test_host_ports_lead_to_the_container(network: Network, engine: OneListener) -> None:
    fixed = free_port()
    mappings = [dict(WEB), {"containerPort": 8080, "hostPort": fixed, "protocol": "tcp"}]
    task = make_task("bridge", web=mappings)
    network.attach(task, "process")
    dynamic, given = network.open(task, "web")
    assert given.host_port == fixed
    assert network.open(task, "web") == (dynamic, given)  # it starts again
    for binding in (dynamic, given):
        assert leads(("127.0.0.1", binding.host_port), engine)
    assert network.reach(task.id, "web", 8080) == ("127.0.0.1", dynamic.host_port)
    network.detach(task.id)
    for binding in (dynamic, given):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", binding.host_port), timeout=20)


def test_a_range_has_host_ports_in_a_row(network: Network, engine: OneListener) -> None:
    task = make_task("bridge", web=[{"containerPortRange": "8079-8081"}])
    network.attach(task, "kind")
    [binding] = network.open(task, "web")
    assert binding.mapping.size == 3
    assert leads(("127.0.0.1", binding.host_port + 1), engine)
    assert network.reach(task.id, "web", 8080) == ("127.0.0.1", binding.host_port + 1)


def test_awsvpc_tasks_have_no_host_ports(network: Network) -> None:
    task = make_task("awsvpc", web=[dict(WEB)])
    network.attach(task, "process")
    assert network.open(task, "web") == ()


def test_the_programs_own_port_is_not_held(network: Network) -> None:
    port = free_port()
    task = make_task("host", web=[{"containerPort": port}])
    network.attach(task, "process")
    [binding] = network.open(task, "web")
    assert binding.host_port == port
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("container_port", [8080, None])
def test_a_host_port_that_somebody_has(network: Network, container_port: int | None) -> None:
    """Whether the server or the program itself is to listen there."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        mapping = {"containerPort": container_port or port, "hostPort": port}
        task = make_task("bridge", web=[mapping])
        network.attach(task, "process")
        with pytest.raises(PortError, match=f"0.0.0.0:{port}: bind: address already in use$"):
            network.open(task, "web")


@linux
def test_the_tasks_own_address_needs_no_forwarder(network: Network, engine: OneListener) -> None:
    task = make_task("awsvpc", web=[])
    engine.address = network.attach(task, "process").addressing["web"].host
    assert network.reach(task.id, "web", 8080) == (engine.address, 8080)


@pytest.mark.parametrize("address", ["127.0.0.1", None])
def test_a_forwarder_is_made_once_for_what_has_no_address(
    network: Network, engine: OneListener, address: str | None
) -> None:
    engine.address = address
    task = make_task("awsvpc", web=[])
    network.attach(task, "process" if address else "kind")
    made = network.reach(task.id, "web", 8080)
    assert leads(made, engine)
    assert network.reach(task.id, "web", 8080) == made
    with pytest.raises(ConnectionRefusedError, match="nobody listens on 9"):
        network.reach(task.id, "web", 9)
    network.detach(task.id)
    with pytest.raises(ConnectionRefusedError, match="the task has no network"):
        network.reach(task.id, "web", 8080)


@linux
def test_into_a_network_of_its_own_an_address_leads(network: Network, engine: OneListener) -> None:
    engine.address = None
    task = make_task("awsvpc", web=[dict(WEB)])
    told = network.attach(task, "process", is_own=True)
    assert told.address is not None
    assert told.address != "127.0.0.1"
    web = told.addressing["web"]
    assert (web.host, web.peers["web"]) == ("0.0.0.0", "127.0.0.1")
    assert network.open(task, "web") == ()
    assert network.reach(task.id, "web", 8080) == (told.address, 8080)
    assert leads((told.address, 8080), engine)
    network.detach(task.id)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((told.address, 8080), timeout=20)


@linux
def test_what_cannot_be_had_at_its_address_is_forwarded(
    network: Network, engine: OneListener
) -> None:
    engine.address = None
    with socket.create_server(("0.0.0.0", 0)) as somebody:
        engine.port = somebody.getsockname()[1]
        task = make_task("awsvpc", web=[{"containerPort": engine.port}])
        network.attach(task, "process", is_own=True)
        network.open(task, "web")
        host, port = network.reach(task.id, "web", engine.port)
        assert (host, port != engine.port) == ("127.0.0.1", True)
        assert leads((host, port), engine)


def test_a_fixed_host_port_leads_into_a_network_of_its_own(
    network: Network, engine: OneListener
) -> None:
    """Though it is the container's too, the program does not listen on the machine."""
    engine.port = free_port()
    task = make_task("bridge", web=[{"containerPort": engine.port, "hostPort": engine.port}])
    assert network.attach(task, "process", is_own=True).address is None
    network.open(task, "web")
    assert network.reach(task.id, "web", engine.port) == ("127.0.0.1", engine.port)
    assert leads(("127.0.0.1", engine.port), engine)


def test_nothing_leads_into_a_task_without_network(network: Network) -> None:
    task = make_task("none", web=[])
    network.attach(task, "process", is_own=True)
    with pytest.raises(ConnectionRefusedError, match="whose network mode is none"):
        network.reach(task.id, "web", 8080)


def test_ways_out_are_opened_with_the_first_container(
    network: Network, engine: OneListener
) -> None:
    task = make_task("bridge", web=[], db=[])
    network.attach(task, "process", is_own=True)
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        network.lead_out(task.id, [WayOut("10.0.2.2", 5432, Place(HOST_NAME, port))])
        assert engine.inside == {}
        for container in ("web", "db"):
            network.open(task, container)
        [inside] = engine.inside.values()
        with socket.create_connection(inside, timeout=20) as near:
            near.sendall(b"x")
            outside.settimeout(20)
            far, _ = outside.accept()
            with far:
                assert far.recv(1) == b"x"
        network.detach(task.id)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(inside, timeout=20)


def test_a_way_out_that_cannot_be_opened(network: Network) -> None:
    task = make_task("bridge", web=[])
    network.attach(task, "process", is_own=True)
    ways = [WayOut("10.0.2.2", 5432, Place(HOST_NAME, 5432))] * 2
    network.lead_out(task.id, ways)
    with pytest.raises(PortError, match=r"no way out to host\.kecs\.internal:5432 could be made"):
        network.open(task, "web")


@pytest.fixture
def few_files(network: Network) -> Iterator[None]:
    """No more open files than a task may leave."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SPARE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@linux
@pytest.mark.parametrize(
    ("mode", "ports"),
    [("bridge", "free"), ("bridge", "fixed"), ("awsvpc", "its own"), ("bridge", "ways out")],
)
def test_files_are_left_for_requests(
    network: Network, few_files: None, mode: str, ports: str
) -> None:
    mapping = {**WEB, "hostPort": free_port()} if ports == "fixed" else WEB
    task = make_task(mode, web=[] if ports == "ways out" else [mapping])
    network.attach(task, "process", is_own=True)
    if ports == "ways out":
        network.lead_out(task.id, [WayOut("10.0.2.2", 5432, Place(HOST_NAME, 5432))])
    with pytest.raises(PortError, match=r"CannotStart.*[Tt]oo many open files"):
        network.open(task, "web")
    network.detach(task.id)


def test_what_disturbs_a_network_of_its_own(network: Network, engine: OneListener) -> None:
    task = make_task("awsvpc", web=[dict(WEB)])
    network.attach(task, "process", is_own=True)
    latency = Latency(delay=0.1, jitter=0.0, sources=("0.0.0.0/0",))
    loss = PacketLoss(percent=5, sources=("0.0.0.0/0",))
    hole = BlackHole(is_egress=False, protocol="tcp", port=80)
    exclusive = (latency.name, loss.name)
    assert network.start_fault(task.id, hole) is None
    assert network.start_fault(task.id, hole) is None  # which runs already
    assert network.start_fault(task.id, loss, exclusive) is None
    assert network.start_fault(task.id, latency, exclusive) == loss.name
    network.stop_fault(task.id, latency.name)  # which does not run
    assert set(network.faults(task.id)) == {hole.name, loss.name}
    assert engine.losing == [hole, replace(loss, spared=(AGENT_ADDRESS,))]
    network.stop_fault(task.id, loss.name)
    assert network.start_fault(task.id, latency, exclusive) is None
    network.stop_fault(task.id, hole.name)
    assert engine.losing == []
    assert list(network.faults(task.id)) == [latency.name]


def test_the_machines_network_is_not_disturbed(network: Network) -> None:
    task = make_task("awsvpc", web=[dict(WEB)])
    network.attach(task, "process")
    with pytest.raises(ConnectionRefusedError, match="no network of its own"):
        network.faults(task.id)


def test_a_task_that_has_no_network(network: Network) -> None:
    task = make_task("bridge", web=[dict(WEB)])
    assert network.open(task, "web") == ()
    network.detach(task.id)
    with pytest.raises(ConnectionRefusedError):
        network.connect(task.id, "web", 8080)
