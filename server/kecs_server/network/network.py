"""The network of tasks: where their programs are to listen, and the host ports that lead there."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING
from typing import TypeVar

from kecs_server.domain.faults import Fault
from kecs_server.domain.faults import Latency
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.ports import Binding
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.ports import ports_of
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import Place
from kecs_server.domain.ways_out import WayOut
from kecs_server.engines.base import Engine
from kecs_server.engines.open_files import check_spare
from kecs_server.engines.spec import TaskNetwork
from kecs_server.network.addresses import LoopbackAddresses
from kecs_server.network.addressing import EVERY_ADDRESS
from kecs_server.network.addressing import in_one_network
from kecs_server.network.addressing import is_the_programs_own
from kecs_server.network.addressing import listened_at
from kecs_server.network.addressing import on_the_machine
from kecs_server.network.attached import Attached
from kecs_server.network.host_ports import HOST
from kecs_server.network.host_ports import MOST
from kecs_server.network.host_ports import PortError
from kecs_server.network.host_ports import PortTaken
from kecs_server.network.host_ports import bind_fixed
from kecs_server.network.host_ports import bind_free
from kecs_server.network.host_ports import check_free
from kecs_server.network.names import Name
from kecs_server.network.outside import connect_outside

if TYPE_CHECKING:
    from kecs_server.network.forwarding import Forwarder
    from kecs_server.network.forwarding import Forwarders

_GONE = "the task has no network: it does not run"

Found = TypeVar("Found")

_log = logging.getLogger(__name__)

EngineOf = Callable[[str], Engine | None]
"""The engine of a name, None as long as it is not ready."""


class Network:
    """Thread-safe. What a task has is its own from `attach` to `detach`."""

    def __init__(self, engine_of: EngineOf) -> None:
        self._engine_of = engine_of
        self._lock = threading.RLock()
        self._addresses = LoopbackAddresses()
        self._attached: dict[str, Attached] = {}
        self._forwarders: Forwarders | None = None

    def attach(
        self, task: Task, engine: str, *, is_own: bool = False, names: Sequence[Name] = ()
    ) -> TaskNetwork:
        """Say for each container where its program is to listen.

        As processes, the containers of a task have one address of its own in awsvpc mode, and
        each its own otherwise, so that the same program can run many times. 127.0.0.1 is told
        where the port of the host must be the program's own: in host mode, and for a host port
        that is fixed and the same as the container's.

        :param is_own: the task has a network namespace of its own, as a Pod has.
        :param names: what it is to find by name.
        :raises PortError: there is no port for one of them.
        """
        with self._lock:
            if engine != "process":
                told = TaskNetwork(addressing=in_one_network(task))
                attached = Attached(engine=engine, own=[], told=told)
            elif is_own:
                attached = self._in_namespace(task)
            else:
                attached = self._on_the_machine(task)
            self._attached[task.id] = attached
            attached.told = replace(attached.told, names=self._name(task, attached, names))
            return attached.told

    def _name(self, task: Task, attached: Attached, names: Sequence[Name]) -> dict[Place, str]:
        """Where what has a name is reached: by it in a Pod and in a network of the task's own, else
        at a port of the machine.
        """
        attached.connects = {name.place: name.connect for name in names}
        if attached.engine != "process" or attached.told.is_own:
            return {place: f"{place.host}:{place.port}" for place in attached.connects}
        told = {}
        for name in names:
            [listener] = bind_free(1, "tcp", listened_at(task))
            forwarder = self._open_forwarders().open(listener, name.connect)
            attached.forwarders.append(forwarder)
            told[name.place] = f"{HOST}:{forwarder.port}"
        return told

    def lead_out(self, task_id: str, ways: Sequence[WayOut]) -> None:
        """Open these ways out of the task's own network before its first container starts."""
        with self._lock:
            if task_id in self._attached:
                self._attached[task_id].ways_out = ways

    def open(self, task: Task, container: str) -> tuple[Binding, ...]:
        """Bind the host ports of a container that is about to start, and forward them.

        :raises PortError: one cannot be had; the text is the container's reason.
        """
        with self._lock:
            attached = self._attached.get(task.id)
            if attached is None:
                return ()
            ways, attached.ways_out = attached.ways_out, ()
            for way in ways:
                self._open_way_out(task, attached, way)
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
            if (container, port) in attached.own_ports:
                return attached.own[0], port
            key = (container, port)
            if key not in attached.on_demand:
                [listener] = bind_free(1, "tcp", ())
                attached.on_demand[key] = self._forward(listener, task_id, container, port)
            return HOST, attached.on_demand[key].port

    def addresses(self, task_id: str) -> dict[str, str]:
        """The address of each container that was told one to listen at."""
        with self._lock:
            attached = self._attached.get(task_id)
        told = attached.told.addressing.items() if attached else ()
        return {name: each.host for name, each in told if each.host != EVERY_ADDRESS}

    def start_fault(
        self, task_id: str, fault: Fault, excluded_by: Collection[str] = ()
    ) -> str | None:
        """Disturb a task's own network, unless it is disturbed so already; returns the name of
        what excludes it, in which case nothing changes.

        :raises OSError: it has none, or the system cannot.
        """
        with self._lock:
            attached, engine = self._disturbed(task_id)
            for name in excluded_by:
                if name in attached.faults:
                    return name
            if fault.name in attached.faults:
                return None
            if isinstance(fault, PacketLoss):  # the agent is not at the device that is disturbed
                fault = replace(fault, spared=(*fault.spared, AGENT_ADDRESS))
            if not isinstance(fault, Latency):
                engine.lose_packets(task_id, fault)
            attached.faults = {**attached.faults, fault.name: fault}
            return None

    def stop_fault(self, task_id: str, name: str) -> None:
        """:raises OSError: as `start_fault`."""
        with self._lock:
            attached, engine = self._disturbed(task_id)
            fault = attached.faults.get(name)
            if fault is not None and not isinstance(fault, Latency):
                engine.keep_packets(task_id, fault)
            attached.faults = {key: it for key, it in attached.faults.items() if key != name}

    def faults(self, task_id: str) -> Collection[str]:
        """The names of those that were started. :raises OSError: as `start_fault`."""
        with self._lock:
            return self._disturbed(task_id)[0].faults.keys()

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

    def _disturbed(self, task_id: str) -> tuple[Attached, Engine]:
        attached = self._attached.get(task_id)
        engine = self._engine_of(attached.engine) if attached else None
        if attached is None or engine is None or not attached.told.is_own:
            raise ConnectionRefusedError("the task has no network of its own")
        return attached, engine

    def _listened(self, task_id: str, container: str, port: int) -> tuple[Engine, list[int]]:
        """The task's engine, and where its program may listen: as told, or as it would anyway.

        :raises ConnectionRefusedError: the task has ended.
        """
        with self._lock:
            attached = self._attached.get(task_id)
        engine = self._engine_of(attached.engine) if attached else None
        if attached is None or engine is None:
            raise ConnectionRefusedError(_GONE)
        if attached.is_closed:
            raise ConnectionRefusedError("nothing leads into a task whose network mode is none")
        told = attached.told.addressing[container].ports.get(port, port)
        return engine, list(dict.fromkeys((told, port)))

    def _on_the_machine(self, task: Task) -> Attached:
        own = list[str]()

        def take() -> str | None:
            address = self._addresses.take()
            if address is not None:
                own.append(address)
            return address

        told = on_the_machine(task, take)
        return Attached(engine="process", own=own, told=told)

    def _in_namespace(self, task: Task) -> Attached:
        """As in a Pod; an address of the machine's leads into an awsvpc task."""
        mode = task.task_definition.network_mode
        address = (self._addresses.take() or HOST) if mode == "awsvpc" else None
        told = TaskNetwork(addressing=in_one_network(task), address=address, is_own=True)
        return Attached(
            engine="process",
            own=[address] if address else [],
            told=told,
            is_closed=mode == "none",
        )

    def _open_way_out(self, task: Task, attached: Attached, way: WayOut) -> None:
        """:raises PortError: there is none; the text is the container's reason."""
        engine, target = self._engine_of(attached.engine), way.target
        if engine is None:
            return
        try:
            with ExitStack() as stack:
                listener = stack.enter_context(engine.listen(task.id, way.address, way.port))
                check_spare(listener.fileno())
                stack.pop_all()
        except OSError as error:
            raise PortError(
                f"CannotStartContainerError: no way out to {target.host}:{target.port} could be "
                f"made: {error.strerror or error}"
            ) from error
        # As on ECS, the agent is not at the device that is disturbed.
        there = None if way.address == AGENT_ADDRESS else partial(attached.delay, way.address)
        connect = attached.connects.get(target) or partial(connect_outside, target)
        forwarder = self._open_forwarders().open(listener, connect, there=there)
        attached.forwarders.append(forwarder)

    def _lead_in(self, task: Task, attached: Attached, container: str) -> None:
        """Forward the ports of an awsvpc task at its address, as far as they can be had: what is
        reached at no other is reached by `reach`.
        """
        for port, protocol in islice(ports_of(task.container(container).definition), MOST):
            try:
                listener = bind_fixed(port, protocol, attached.own[0])
            except PortTaken as error:
                _log.info("task %s: %s", task.id, error)
                continue
            forwarder = self._forward(listener, task.id, container, port, protocol)
            attached.forwarders.append(forwarder)
            if protocol == "tcp":
                attached.own_ports.add((container, port))

    def _bind(self, task: Task, attached: Attached, container: str) -> tuple[Binding, ...]:
        if attached.told.is_own and attached.own:
            self._lead_in(task, attached, container)
        if task.task_definition.network_mode not in ("bridge", "host"):
            return ()
        bound = []
        for mapping in port_mappings(task.container(container).definition):
            shares_ports = attached.engine == "process" and not attached.told.is_own
            if shares_ports and is_the_programs_own(mapping):
                check_free(mapping.host_port, mapping.protocol)
                bound.append(Binding(mapping=mapping, host_port=mapping.host_port))
                continue
            listeners = (
                [bind_fixed(mapping.host_port, mapping.protocol)]
                if mapping.host_port
                else bind_free(mapping.size, mapping.protocol, listened_at(task))
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
        connect = partial(self.connect, task_id, container, port, protocol)
        attached = self._attached[task_id]
        back = partial(attached.delay, HOST) if attached.told.is_own else None
        return self._open_forwarders().open(listener, connect, back=back)

    def _open_forwarders(self) -> Forwarders:
        if self._forwarders is None:
            # A run in which nothing is forwarded need not load what forwards.
            from kecs_server.network.forwarding import Forwarders

            self._forwarders = Forwarders()
        return self._forwarders


def _first(ports: list[int], find: Callable[[int], Found]) -> Found:
    """What is found at the first port at which something is."""
    for port in ports[:-1]:
        with suppress(ConnectionRefusedError):
            return find(port)
    return find(ports[-1])
