"""Waiting until something of a container listens, for who wants to connect to it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kecs_server.domain.ports import port_mappings
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.network.host_ports import PortError
from kecs_server.network.network import Network
from kecs_server.state.realm import Realm

FIRST_LOOK = 0.005
LONGEST_PAUSE = 0.2
"""Seconds between looks at a container that runs: no event tells that a program listens."""

ADVICE = (
    "On this machine localhost is everybody's: a program should listen where it is told, at "
    "$KECS_HOST and $KECS_PORT_{port}, in a stand-in {{host}} and {{port:{port}}}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """An address that leads to the container, or why there is none."""

    host: str = ""
    port: int = 0
    why: str = ""
    timed_out: bool = False


def chosen(task: Task, container: str | None, port: int | None) -> tuple[Container, int]:
    """The container and port that are meant; what is left out must be clear.

    :raises ValueError: it is not; the text says between what to choose.
    """
    mapped = {item.name: list(port_mappings(item.definition)) for item in task.containers}
    candidates = [item for item in task.containers if container in (None, item.name)]
    if not candidates:
        raise ValueError(f"the task has no container {container!r}; it has {', '.join(mapped)}")
    if len(candidates) > 1:
        candidates = [
            item
            for item in candidates
            if any(port is None or m.first <= port <= m.last for m in mapped[item.name])
        ]
    if len(candidates) != 1:
        raise ValueError(f"the task has several containers, say which: {', '.join(mapped)}")
    [found] = candidates
    if port is None:
        ports = [mapping.first for mapping in mapped[found.name] if mapping.protocol == "tcp"]
        if len(ports) != 1:
            which = f"it has {', '.join(map(str, ports))}" if ports else "it maps none"
            raise ValueError(f"say which port of the container {found.name}: {which}")
        port = ports[0]
    return found, port


def reach(
    network: Network, realm: Realm, task: Task, container: Container, port: int, timeout: float
) -> Reached:
    """Wait until something of the container listens on the TCP port, up to `timeout` seconds."""
    deadline, pause = time.monotonic() + timeout, FIRST_LOOK
    while True:
        with realm.reading():
            version, status = realm.version, container.last_status
            code = container.exit_code
        if status == "STOPPED":
            how = "without exit code" if code is None else f"with exit code {code}"
            return Reached(why=f"the container {container.name} has stopped {how}")
        until = deadline
        if status == "RUNNING":
            try:
                host, found = network.reach(task.id, container.name, port)
                return Reached(host=host, port=found)
            except (OSError, PortError) as error:
                why = str(error)
            until = min(deadline, time.monotonic() + pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        else:
            why = f"the container {container.name} is {status}"
        if time.monotonic() >= deadline:
            shares = realm.engine == "process" and not realm.isolates(task)
            advice = f"\n{ADVICE.format(port=port)}" if shares else ""
            return Reached(why=why + advice, timed_out=True)
        realm.wait(version, until)
