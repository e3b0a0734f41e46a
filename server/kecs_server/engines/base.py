"""What an engine is: the one contract that the process and kubernetes engines keep.

The agent (`kecs_server.scheduler`) decides everything that ECS decides: order, essential
containers, stop order, states, codes and reasons. An engine only does as it is told and reports
what it sees. Commands return at once; whatever they bring about arrives as an observation.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container of a task, everything resolved: overrides, image stand-in, variables.

    `entry_point` and `command` replace the image's ENTRYPOINT and CMD; None leaves the image's own.
    `stop_timeout` is the number of seconds between SIGTERM and SIGKILL.
    `pull_error` makes the pull fail with that text (a stand-in asked for it).
    `cpu` is in ECS units (1024 = one vCPU, 0 = unset); `memory` values are in MiB.
    """

    name: str
    image: str
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    stop_timeout: float = 30.0
    pull_error: str | None = None
    cpu: int = 0
    memory: int | None = None
    memory_reservation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What an engine needs to know of a task. `task_id` is 32 hex digits, unique in the server."""

    task_id: str
    task_arn: str
    family: str
    containers: tuple[ContainerSpec, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something that an engine saw happen to a task."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned(Observation):
    """The sandbox exists; `address` is where the task's listeners are reached, if known.

    Sent again when the address becomes known later, before any container is reported started.
    """

    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStarted(Observation):
    """The first image pull of the task began. Sent at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStopped(Observation):
    """All image pulls of the task have ended, well or badly. Sent at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted(Observation):
    """The container's first process runs. `runtime_id` names it in the engine's own terms."""

    container: str
    runtime_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStopped(Observation):
    """The container ended, for good; exactly one for each container that was told to start.

    `exit_code` is 128 + N after signal N, and None when the container never ran or its code is
    unknown. `reason` has the agent's form `ErrorName: message` (ecs-facts 6.6), None when the
    container simply exited.
    """

    container: str
    exit_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLost(Observation):
    """The sandbox is gone and nobody asked: a Pod deleted by hand, a node or supervisor dead.

    Containers that had not stopped get a `ContainerStopped` with `exit_code` None (or their true
    code, if it was seen) before this.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed(Observation):
    """Nothing of the task is left in the engine but its logs. The last observation of a task."""


Observer = Callable[[Observation], None]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLogs:
    """What a container wrote. Where an engine cannot keep the streams apart, all is in `stdout`."""

    stdout: bytes
    stderr: bytes = b""


class EngineError(Exception):
    """An engine cannot start or go on. The text is for the person at the keyboard:
    what was looked for, what was found, what to do.
    """


class Engine(Protocol):
    """Runs containers. Every method but `open`, `logs` and `close` returns at once, is called from
    one thread (the scheduler's), is idempotent, and ignores tasks and containers that it does not
    know. Nothing is raised for what happens to a container: that is an observation.
    """

    name: str

    def open(self, observe: Observer, progress: Progress) -> None:
        """Make the engine ready for `provision`; may take long (a cluster is created).

        `observe` may be called from any thread. `progress` takes a phase to show to a person
        ("creating kind cluster kecs-1a2b3c").

        :raises EngineError: the engine cannot start; nothing is left behind.
        """

    def provision(self, spec: TaskSpec) -> None:
        """Make the task's sandbox, no container running yet. Ends in `Provisioned`, or in
        `TaskLost` when it cannot be made.
        """

    def start_container(self, task_id: str, container: str) -> None:
        """Pull the image and start the container. Ends in `ContainerStarted`, or in one
        `ContainerStopped` without exit code when it cannot be pulled, created or started.
        """

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        """Send SIGTERM to the first process of each at the same moment, SIGKILL after each one's
        own `stop_timeout`; when the first process ends, everything that it left behind is killed.
        Containers that run still and are not named run on.
        """

    def remove(self, task_id: str) -> None:
        """Kill what still runs and free the sandbox; logs are kept until `discard`. Ends in
        `ContainerStopped` for whatever ran, then `Removed`.
        """

    def discard(self, task_id: str) -> None:
        """Forget the logs of a removed task."""

    def logs(self, task_id: str, container: str) -> ContainerLogs:
        """What the container wrote so far; empty for a container that never ran. Thread-safe.

        :raises KeyError: no such task or container.
        """

    def close(self) -> None:
        """Remove every task and whatever `open` made (namespace, cluster). Idempotent."""
