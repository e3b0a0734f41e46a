"""Where the programs of a task are told to listen."""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Iterator

from kecs_server.domain.firelens import PORT
from kecs_server.domain.firelens import is_router
from kecs_server.domain.ports import PortMapping
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.spec import Addressing
from kecs_server.engines.spec import TaskNetwork
from kecs_server.network.host_ports import HOST

EVERY_ADDRESS = "0.0.0.0"


def on_the_machine(task: Task, take: Callable[[], str | None]) -> TaskNetwork:
    """A task whose network is the machine's; `take` gives an address for it alone, if it can."""
    mode = task.task_definition.network_mode
    shared = take() if mode == "awsvpc" else None
    hosts: dict[str, str | None] = {}
    for container in task.containers:
        mappings = list(port_mappings(container.definition))
        if mode == "awsvpc":
            hosts[container.name] = shared
        elif mode == "host" or any(map(is_the_programs_own, mappings)):
            hosts[container.name] = HOST
        else:
            hosts[container.name] = take()
    addressing = {}
    for container in task.containers:
        host = hosts[container.name]
        addressing[container.name] = Addressing(
            host=host or HOST,
            ports={
                port: port if host or is_range else _free_port()
                for port, is_range in _told_ports(container)
            },
            peers={name: peer or HOST for name, peer in hosts.items()},
        )
    address = (shared or HOST) if mode == "awsvpc" else None
    return TaskNetwork(addressing=addressing, address=address)


def in_one_network(task: Task) -> dict[str, Addressing]:
    """Containers of a Pod have one network, which is the Pod's own."""
    peers = {container.name: HOST for container in task.containers}
    return {
        container.name: Addressing(
            host=EVERY_ADDRESS,
            ports={port: port for port, _ in _told_ports(container)},
            peers=peers,
        )
        for container in task.containers
    }


def is_the_programs_own(mapping: PortMapping) -> bool:
    """Whether the program itself is to listen on the host's port: one that listens at every
    address could not if the server held it.
    """
    return mapping.host_port == mapping.first


def listened_at(task: Task) -> set[int]:
    """The ports of the task's containers, at which the machine's must not be in their way."""
    return {
        port
        for container in task.containers
        for mapping in port_mappings(container.definition)
        for port in (mapping.first, mapping.last)
    }


def _told_ports(container: Container) -> Iterator[tuple[int, bool]]:
    """The first TCP port of each mapping, and whether others follow it; a router's own."""
    if is_router(container.definition):
        yield PORT, False
    for mapping in port_mappings(container.definition):
        if mapping.protocol == "tcp":
            yield mapping.first, mapping.is_range


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
