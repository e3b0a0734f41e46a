"""Records of the process engine: what it was told to run and how far that has come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.process.directories import make_volume
from kecs_server.engines.process.launching import Launch
from kecs_server.engines.process.namespaces import Namespace
from kecs_server.engines.process.ports import LOOPBACK

SAFE_NAME = re.compile(r"[A-Za-z0-9_-]+")  # what ECS allows; also what is safe as a directory


class Phase(StrEnum):
    """DUE: not told to start; RUNNING: told to, the supervisor has it; STOPPED: for good."""

    DUE = "due"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class Container:
    """`launch` and `pid` are known from its start on; `out_of_memory`: it is being killed for
    what it uses.
    """

    task: Task
    spec: ContainerSpec
    directory: Path
    phase: Phase = Phase.DUE
    launch: Launch | None = None
    pid: int | None = None
    out_of_memory: bool = False
    log: ContainerLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = ContainerLog(self.directory)

    @property
    def key(self) -> str:
        return f"{self.task.id}/{self.spec.name}"

    @property
    def runtime_id(self) -> str:
        """As on Fargate, the task's id and ten digits."""
        return f"{self.task.id}-{self.pid or 0:010d}"

    def make_volumes(self, environment: Path) -> dict[str, Path]:
        """Where the volumes are that it mounts, below the `environment`'s directory.

        :raises LaunchError: one cannot be made.
        """
        names = {mount.volume for mount in self.spec.mounts}
        return {
            volume.name: make_volume(volume, task=self.task.directory, environment=environment)
            for volume in self.task.spec.volumes
            if volume.name in names
        }

    def may_start(self) -> bool:
        """For the first time, or again after it has run."""
        return self.phase is Phase.DUE or (
            self.phase is Phase.STOPPED and self.spec.restarts and self.launch is not None
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A command that runs in a container; its output goes to a file until it has ended."""

    key: str
    container: Container
    launch: Launch
    pid: int | None = None
    result: Future[ExecResult] = field(default_factory=Future)

    def finish(self, exit_code: int) -> None:
        self.result.set_result(ExecResult(exit_code=exit_code, output=self._output()))

    def finish_overdue(self) -> None:
        self.result.set_result(ExecResult.not_in_time(self._output(), self.launch.limit or 0.0))

    def finish_unexecuted(self, why: str) -> None:
        self.result.set_result(ExecResult.not_executed(self._output(), why))

    def finish_lost(self, why: str) -> None:
        self.result.set_result(ExecResult.refused(why))
        self._output()

    def _output(self) -> bytes:
        """Taken from its file, which goes."""
        path = Path(self.launch.stdout)
        try:
            output = path.read_bytes()
            path.unlink()
        except FileNotFoundError:  # it was never started, or its task is forgotten
            return b""
        return output


def refused(text: str) -> Future[ExecResult]:
    """A command that is not run."""
    return done(ExecResult.refused(text))


def done(result: ExecResult) -> Future[ExecResult]:
    future: Future[ExecResult] = Future()
    future.set_result(result)
    return future


@dataclass(slots=True, kw_only=True)
class Task:
    """`removing`: `remove` was called; `removed`: nothing runs any more and `Removed` was sent;
    `lost`: why nothing can be started in it any more; `namespace`: its network, where that is not
    the machine's; `has_cgroup`: the kernel enforces its limits of memory. What listens at every
    address is reached at `address`, in a network of its own at LOOPBACK.
    """

    id: str
    address: str
    spec: TaskSpec
    directory: Path
    containers: dict[str, Container] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    pulled: bool = False
    removing: bool = False
    removed: bool = False
    lost: str | None = None
    namespace: Namespace | None = None
    has_cgroup: bool = False

    @classmethod
    def from_spec(cls, spec: TaskSpec, directory: Path) -> Task:
        task = cls(
            id=spec.task_id, spec=spec, address=spec.address or LOOPBACK, directory=directory
        )
        for container in spec.containers:
            task.containers[container.name] = Container(
                task=task, spec=container, directory=directory / container.name
            )
        return task

    def running(self) -> Iterator[Container]:
        return (c for c in self.containers.values() if c.phase is Phase.RUNNING)

    def limits_memory(self) -> bool:
        limits = [self.spec.memory, *(c.memory for c in self.spec.containers)]
        return any(limit is not None for limit in limits)

    def is_idle(self) -> bool:
        """Nothing of the task runs."""
        return not self.executions and not any(self.running())

    def is_over(self) -> bool:
        return all(c.phase is Phase.STOPPED for c in self.containers.values())


def check_names(spec: TaskSpec) -> None:
    """Names become directories: nothing may lead out of the task's own.

    :raises ValueError: a name that ECS would not allow.
    """
    names = [spec.task_id, *(c.name for c in spec.containers), *(v.name for v in spec.volumes)]
    for name in names:
        if not SAFE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name of a container, volume or task")
