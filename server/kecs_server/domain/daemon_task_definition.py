"""Daemon task definitions: the record, and what ECS makes of a registration.

A daemon's task is run as any other: of the same structure, in the network mode that daemons alone
have (developer guide, "Daemon task definitions").
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import ClassVar

from kecs_server.domain.task_definition import DAEMON_BRIDGE
from kecs_server.domain.task_definition import DELETE_IN_PROGRESS
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import with_defaults

Structure = dict[str, Any]

DELETED = "DELETED"
COMPATIBILITY = "MANAGED_INSTANCES"

_HOST_MODES = {"pidMode": "host", "ipcMode": "host"}
"""What `shared` is for the modes of a task."""

_OF_TASKS_ONLY = ("portMappings", "volumesFrom")


@dataclass(slots=True, kw_only=True)
class DaemonTaskDefinition(TaskDefinition):
    """One revision. `modes`: pidMode and ipcMode as they are given back; `body` has them, and all
    else, as a task definition has it.
    """

    modes: Structure
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""

    kind: ClassVar[str] = "daemon task definition"

    def shown_containers(self) -> list[Structure]:
        """The containers without what daemons cannot have."""
        return [
            {name: value for name, value in container.items() if name not in _OF_TASKS_ONLY}
            for container in self.containers
        ]


def as_task_definition(registered: Structure) -> Structure:
    """The task definition that a daemon task definition stands for."""
    body = {name: value for name, value in registered.items() if name not in _HOST_MODES}
    for member, mode in _HOST_MODES.items():
        if registered.get(member) == "shared":
            body[member] = mode
    return {**body, "networkMode": DAEMON_BRIDGE, "requiresCompatibilities": [COMPATIBILITY]}


def body_of(registered: Structure) -> Structure:
    """As ECS keeps it. Expects a validated one."""
    return with_defaults(as_task_definition(registered))


def modes_of(registered: Structure) -> Structure:
    return {member: registered.get(member, "none") for member in _HOST_MODES}


def finish_deletion(definition: DaemonTaskDefinition, now: float) -> None:
    if definition.status == DELETE_IN_PROGRESS:
        definition.status = DELETED
        definition.news.append((now, DELETED))
