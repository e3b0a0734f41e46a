"""Records of the process engine: what it was told to run and how far that has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.process.launching import Launch


class Phase(StrEnum):
    """DUE: not told to start; RUNNING: told to, the supervisor has it; STOPPED: for good."""

    DUE = "due"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class Container:
    """`launch` and `pid` are known from its start on."""

    task: Task
    spec: ContainerSpec
    directory: Path
    phase: Phase = Phase.DUE
    launch: Launch | None = None
    pid: int | None = None

    @property
    def key(self) -> str:
        return f"{self.task.id}/{self.spec.name}"


@dataclass(slots=True, kw_only=True)
class Task:
    """`removing`: `remove` was called; `removed`: nothing runs any more and `Removed` was sent;
    `lost`: why nothing can be started in it any more.
    """

    id: str
    directory: Path
    containers: dict[str, Container] = field(default_factory=dict)
    pulled: bool = False
    removing: bool = False
    removed: bool = False
    lost: str | None = None

    @classmethod
    def from_spec(cls, spec: TaskSpec, directory: Path) -> Task:
        task = cls(id=spec.task_id, directory=directory)
        for container in spec.containers:
            task.containers[container.name] = Container(
                task=task, spec=container, directory=directory / container.name
            )
        return task

    def running(self) -> Iterator[Container]:
        return (c for c in self.containers.values() if c.phase is Phase.RUNNING)

    def is_over(self) -> bool:
        return all(c.phase is Phase.STOPPED for c in self.containers.values())
