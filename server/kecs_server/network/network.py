"""The network of tasks: where their programs are to listen, and the host ports that lead there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING
from typing import TypeVar

from kecs_server.domain.ports import Binding
from kecs_server.domain.ports import PortMapping
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.task import Task
from kecs_server.engines.base import Engine
from kecs_server.engines.spec import Addressing
from kecs_server.network.addresses import LoopbackAddresses
from kecs_server.network.host_ports import HOST
from kecs_server.network.host_ports import bind_fixed
from kecs_server.network.host_ports import bind_free
from kecs_server.network.host_ports import check_free

if TYPE_CHECKING:
    from kecs_server.network.forwarding import Forwarder
    from kecs_server.network.forwarding import Forwarders

EVERY_ADDRESS = "0.0.0.0"
_GONE = "the task has no network: it does not run"

Found = TypeVar("Found")

EngineOf = Callable[[str], Engine | None]
"""The engine of a name, None as long as it is not ready."""


@dataclass(slots=True, kw_only=True)
class _Attached:
    """A task that has a network. `own` are the addresses taken for it alone."""

    engine: str
    own: list[str]
    addressing: Mapping[str, Addressing]
    bindings: dict[str, tuple[Binding, ...]] = field(default_factory=dict)
    forwarders: list[Forwarder] = field(default_factory=list)
    on_demand: dict[tuple[str, int], Forwarder] = field(default_factory=dict)


class Network:
    """Thread-safe. What a task has is its own from `attach` to `detach`."""

    def __init__(self, engine_of: EngineOf) -> None:
        self._engine_of = engine_of
        self._lock = threading.RLock()
        self._addresses = LoopbackAddresses()
        self._attached: dict[str, _Attached] = {}
        self._forwarders: Forwarders | None = None

    def attach(self, task: Task, engine: str) -> Mapping[str, Addressing]:
        """Say for each container where its program is to listen.

        As processes, the containers of a task have one address of its own in awsvpc mode, and
        each its own otherwise, so that the same program can run many times. 127.0.0.1 is told
        where the port of the host must be the program's own: in host mode, and for a host port
        that is fixed and the same as the container's.
        """
        with self._lock:
            if engine != "process":
                attached = _Attached(engine=engine, own=[], addressing=_in_one_pod(task))
            else:
                attached = self._as_processes(task)
            self._attached[task.id] = attached
            return attached.addressing

    def open(self, task: Task, container: str) -> tuple[Binding, ...]:
        """Bind the host ports of a container that is about to start, and forward them.

        :raises PortError: one cannot be had; the text is the container's reason.
        """
        with self._lock:
            attached = self._attached.get(task.id)
            if attached is None:
                return ()
            if container not in attached.bindings:
                attached.bindings[container] = self._bind(task, attached, container)
            return attached.bindings[container]

    def connect(
        self, task_id: str, container: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        """A connection to what listens at the container's port.

        :raises OSError: nothing of the container does; the text is for a person.
        """
        engine, ports = self._listened(task_id, container, port)
        return _first(ports, lambda it: engine.connect(task_id, container, it, protocol))

    def reach(self, task_id: str, container: str, port: int) -> tuple[str, int]:
        """An address of this machine that leads to what listens at the container's TCP port: that
        of its binding, its own, or that of a forwarder which is made now.

        :raises OSError: nothing of the container does; the text is for a person.
        """
        engine, ports = self._listened(task_id, container, port)
        address = _first(ports, partial(engine.locate, task_id, container))
        with self._lock:
            attached = self._attached.get(task_id)
            if attached is None:
                raise ConnectionRefusedError(_GONE)
            for binding in attached.bindings.get(container, ()):
                mapping = binding.mapping
                if mapping.protocol == "tcp" and mapping.first <= port <= mapping.last:
                    return HOST, binding.host_port + port - mapping.first
            if address in attached.own:
                return address, port
            key = (container, port)
            if key not in attached.on_demand:
                [listener] = bind_free(1, "tcp", ())
                attached.on_demand[key] = self._forward(listener, task_id, container, port)
            return HOST, attached.on_demand[key].port

    def addresses(self, task_id: str) -> dict[str, str]:
        """The address of each container that was told one to listen at."""
        with self._lock:
            attached = self._attached.get(task_id)
        told = attached.addressing.items() if attached else ()
        return {name: each.host for name, each in told if each.host != EVERY_ADDRESS}

    def detach(self, task_id: str) -> None:
        """Free the task's host ports and addresses."""
        with self._lock:
            attached = self._attached.pop(task_id, None)
            if attached is None:
                return
            forwarders = [*attached.forwarders, *attached.on_demand.values()]
            if forwarders and self._forwarders is not None:
                self._forwarders.end(forwarders)
            for address in attached.own:
                self._addresses.give_back(address)

    def close(self) -> None:
        with self._lock:
            for task_id in list(self._attached):
                self.detach(task_id)
            if self._forwarders is not None:
                self._forwarders.close()
                self._forwarders = None
            self._addresses.close()

    def _listened(self, task_id: str, container: str, port: int) -> tuple[Engine, list[int]]:
        """The task's engine, and where its program may listen: as told, or as it would anyway.

        :raises ConnectionRefusedError: the task has ended.
        """
        with self._lock:
            attached = self._attached.get(task_id)
        engine = self._engine_of(attached.engine) if attached else None
        if attached is None or engine is None:
            raise ConnectionRefusedError(_GONE)
        told = attached.addressing[container].ports.get(port, port)
        return engine, list(dict.fromkeys((told, port)))

    def _as_processes(self, task: Task) -> _Attached:
        mode, own = task.task_definition.network_mode, list[str]()

        def take() -> str | None:
            address = self._addresses.take()
            if address is not None:
                own.append(address)
            return address

        shared = take() if mode == "awsvpc" else None
        hosts: dict[str, str | None] = {}
        for container in task.containers:
            mappings = list(port_mappings(container.definition))
            if mode == "awsvpc":
                hosts[container.name] = shared
            elif mode == "host" or any(map(_is_the_programs_own, mappings)):
                hosts[container.name] = HOST
            else:
                hosts[container.name] = take()
        addressing = {}
        for container in task.containers:
            host = hosts[container.name]
            addressing[container.name] = Addressing(
                host=host or HOST,
                ports={
                    mapping.first: mapping.first if host or mapping.is_range else _free_port()
                    for mapping in port_mappings(container.definition)
                    if mapping.protocol == "tcp"
                },
                peers={name: peer or HOST for name, peer in hosts.items()},
            )
        return _Attached(engine="process", own=own, addressing=addressing)

    def _bind(self, task: Task, attached: _Attached, container: str) -> tuple[Binding, ...]:
        if task.task_definition.network_mode not in ("bridge", "host"):
            return ()
        bound = []
        for mapping in port_mappings(task.container(container).definition):
            if attached.engine == "process" and _is_the_programs_own(mapping):
                check_free(mapping.host_port, mapping.protocol)
                bound.append(Binding(mapping=mapping, host_port=mapping.host_port))
                continue
            listeners = (
                [bind_fixed(mapping.host_port, mapping.protocol)]
                if mapping.host_port
                else bind_free(mapping.size, mapping.protocol, _listened_at(task))
            )
            bound.append(Binding(mapping=mapping, host_port=listeners[0].getsockname()[1]))
            for port, listener in enumerate(listeners, mapping.first):
                forwarder = self._forward(listener, task.id, container, port, mapping.protocol)
                attached.forwarders.append(forwarder)
        return tuple(bound)

    def _forward(
        self,
        listener: socket.socket,
        task_id: str,
        container: str,
        port: int,
        protocol: str = "tcp",
    ) -> Forwarder:
        if self._forwarders is None:
            # A run in which nothing is forwarded need not load what forwards.
            from kecs_server.network.forwarding import Forwarders

            self._forwarders = Forwarders()
        connect = partial(self.connect, task_id, container, port, protocol)
        return self._forwarders.open(listener, connect)


def _first(ports: list[int], find: Callable[[int], Found]) -> Found:
    """What is found at the first port at which something is."""
    for port in ports[:-1]:
        with suppress(ConnectionRefusedError):
            return find(port)
    return find(ports[-1])


def _in_one_pod(task: Task) -> dict[str, Addressing]:
    """Containers of a Pod have one network, which is the Pod's own."""
    peers = {container.name: HOST for container in task.containers}
    return {
        container.name: Addressing(
            host=EVERY_ADDRESS,
            ports={mapping.first: mapping.first for mapping in port_mappings(container.definition)},
            peers=peers,
        )
        for container in task.containers
    }


def _is_the_programs_own(mapping: PortMapping) -> bool:
    """Whether the program itself is to listen on the host's port: one that listens at every
    address could not if the server held it.
    """
    return mapping.host_port == mapping.first


def _listened_at(task: Task) -> set[int]:
    return {
        port
        for container in task.containers
        for mapping in port_mappings(container.definition)
        for port in (mapping.first, mapping.last)
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
