"""What an engine is: the one contract that the process and kubernetes engines keep.

The agent (`kecs_server.scheduler`) decides everything that ECS decides: order, essential
containers, stop order, states, codes and reasons. An engine only does as it is told and reports
what it sees. Commands return at once; whatever they bring about arrives as an observation.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from typing import Protocol

from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.domain.instance import Host
from kecs_server.domain.ports import Binding
from kecs_server.domain.references import RegistryLogin
from kecs_server.domain.ways_out import OwnNetwork
from kecs_server.engines.logs import ContainerLog


class VolumeKind(StrEnum):
    """TASK: made for the task, gone with it. SHARED: all volumes of the same `source` in the
    environment are one, and outlive tasks. HOST: a directory of the host, `source` its path.
    """

    TASK = "task"
    SHARED = "shared"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A directory that containers of a task mount. `source` is empty for TASK; `size` in MiB, None
    without a limit of its own.
    """

    name: str
    kind: VolumeKind
    source: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume of the task at an absolute path of the container; volumesFrom is resolved."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """A file system in memory; `size` in MiB."""

    path: str
    size: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """`name` as setrlimit(2) has it, in lower case without RLIMIT_ ("nofile"); -1: no limit."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container of a task, everything resolved: overrides, image stand-in, variables.

    `entry_point` and `command` replace the image's ENTRYPOINT and CMD; None leaves the image's own.
    `stop_timeout` is the number of seconds between SIGTERM and SIGKILL.
    `pull_error` makes the pull fail with that text (a stand-in asked for it).
    `cpu` is in ECS units (1024 = one vCPU, 0 = unset); `memory` values and `shared_memory` are in
    MiB. `restarts`: the container may be told to start again after it has stopped.
    `hosts` are more lines of /etc/hosts: name -> address. `ports` are (number, "tcp" or "udp").
    `gpus` is a number; `security_options` are Docker's (`no-new-privileges`, `label:type:T`).
    `secrets` are more variables, which nobody but the container may see, nor what is in `files`
    (absolute path -> text); `login` is for the registry of its image.
    """

    name: str
    image: str
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    login: RegistryLogin | None = None
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    working_directory: str | None = None
    stop_timeout: float = 30.0
    pull_error: str | None = None
    cpu: int = 0
    memory: int | None = None
    memory_reservation: int | None = None
    restarts: bool = False
    user: str | None = None
    hostname: str | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    dns_servers: tuple[str, ...] = ()
    dns_search_domains: tuple[str, ...] = ()
    interactive: bool = False
    pseudo_terminal: bool = False
    privileged: bool = False
    read_only_root: bool = False
    init: bool = False
    gpus: int = 0
    security_options: tuple[str, ...] = ()
    capabilities_added: tuple[str, ...] = ()
    capabilities_dropped: tuple[str, ...] = ()
    shared_memory: int | None = None
    tmpfs: tuple[Tmpfs, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    system_controls: Mapping[str, str] = field(default_factory=dict)
    docker_labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the task finds at `host`:`port`: `target_port` of the tasks whose label `serves` has
    the value `mark`.
    """

    host: str
    port: int
    target_port: int
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What an engine needs to know of a task. `task_id` is 32 hex digits, unique in the server.

    `cpu` (ECS units), `memory` and `ephemeral_storage` (MiB, all that it writes to disk but volumes
    with a size of their own) limit the task as a whole; None: no such limit.
    `architecture` ("arm64", "amd64") is that of its images.
    `address` is where what the task listens at is reached, where that is known beforehand.
    `own_network`: it shares the machine's with nobody (process engine; a Pod always has its own).
    `names` are led by the engine where the server does not (Kubernetes).
    `node` is the one of the engine's hosts that it is to run on; None: any.
    """

    task_id: str
    task_arn: str
    family: str
    containers: tuple[ContainerSpec, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    network_mode: str = "bridge"
    address: str | None = None
    own_network: OwnNetwork | None = None
    names: tuple[Named, ...] = ()
    volumes: tuple[Volume, ...] = ()
    cpu: int | None = None
    memory: int | None = None
    ephemeral_storage: int | None = None
    architecture: str | None = None
    pid_mode: str | None = None
    ipc_mode: str | None = None
    node: str | None = None


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
class PortsBound(Observation):
    """Ports of the host stand for the container's. Sent by the server's own network, before the
    container starts.
    """

    container: str
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted(Observation):
    """The container's first process runs. `runtime_id` names it in the engine's own terms;
    `image_digest` is `sha256:...`, where it is known.
    """

    container: str
    runtime_id: str
    image_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStopped(Observation):
    """The container ended; exactly one for each time that it was told to start.

    `exit_code` is 128 + N after signal N, and None when the container never ran or its code is
    unknown. `reason` has the agent's form `ErrorName: message` (ecs-facts 6.6), None when the
    container simply exited.
    """

    container: str
    exit_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnding(Observation):
    """Somebody else ends the task's containers: its Pod was deleted by hand or evicted, say.

    Sent at most once, before the `ContainerStopped` of those that end by it. They do so by
    themselves; the task is removed as any other.
    """

    reason: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChecked(Observation):
    """A health check that the agent asked for has ended, or not (`exit_code` None)."""

    container: str
    exit_code: int | None
    output: str


KILLED = 137
"""The exit code of what was ended by SIGKILL."""

Observer = Callable[[Observation], None]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a command in a container ended: `exit_code` is 137 if it was killed with its container,
    126 or 127 if there is nothing to execute, of which `output` then tells; None without an end of
    its own, for the `reason` that is given. Both streams are in `output`.
    """

    exit_code: int | None
    output: bytes
    reason: str | None = None

    @classmethod
    def not_in_time(cls, output: bytes, timeout: float) -> ExecResult:
        return cls(exit_code=None, output=output, reason=f"it did not end within {timeout:g} s")

    @classmethod
    def not_executed(cls, output: bytes, why: str) -> ExecResult:
        """The command could not be executed; the code is that of a shell and of Docker."""
        is_missing = "executable file not found" in why or "no such file" in why
        return cls(exit_code=127 if is_missing else 126, output=output + why.encode())

    @classmethod
    def refused(cls, why: str) -> ExecResult:
        """The command was not even tried, or its end is not known."""
        return cls(exit_code=None, output=why.encode(), reason=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container uses: processor time since its start, memory in bytes. `read_at` is when
    that was, in epoch seconds of real time; the rest is None where it is not known.
    """

    read_at: float
    cpu_nanoseconds: int
    memory: int
    system_cpu_nanoseconds: int | None = None
    online_cpus: int | None = None
    processes: int | None = None


class EngineError(Exception):
    """An engine cannot start or go on. The text is for the person at the keyboard:
    what was looked for, what was found, what to do.
    """


class Engine(Protocol):
    """Runs containers. Every method but `open`, `locate`, `connect`, `listen`, `lose_packets`,
    `keep_packets`, `usage`, `storage` and `close` returns at once. Those that change something are
    called from one thread (the scheduler's), are idempotent, and ignore tasks and containers that
    they do not know. Nothing is raised for what happens to a container: that is an observation.
    """

    name: str

    def open(self, observe: Observer, progress: Progress) -> None:
        """Make the engine ready for `provision`; may take long (a cluster is created).

        `observe` may be called from any thread. `progress` takes a phase to show to a person
        ("creating kind cluster kecs-1a2b3c").

        :raises EngineError: the engine cannot start; nothing is left behind.
        """

    def hosts(self) -> Sequence[Host]:
        """The machines that it runs containers on now. Thread-safe."""

    def provision(self, spec: TaskSpec) -> None:
        """Make the task's sandbox, no container running yet. Ends in `Provisioned`, or in
        `TaskLost` when it cannot be made.
        """

    def start_container(self, task_id: str, container: str) -> None:
        """Pull the image and start the container. Ends in `ContainerStarted`, or in one
        `ContainerStopped` without exit code when it cannot be pulled, created or started. A
        container with `restarts` that has stopped is started again; its logs go on.
        """

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        """Send SIGTERM to the first process of each at the same moment, SIGKILL after each one's
        own `stop_timeout`; when the first process ends, everything that it left behind is killed.
        Containers that run still and are not named run on.
        """

    def execute(
        self, task_id: str, container: str, command: Sequence[str], timeout: float
    ) -> Future[ExecResult]:
        """Run a command beside the container's first process: its variables, directory, user and
        limits. It is killed with all that it left behind after `timeout` seconds, and when the
        container ends. The future never fails; a container that does not run gives `exit_code`
        None, with the reason. Thread-safe.
        """

    def usage(self, task_id: str, container: str) -> Usage | None:
        """What the container uses now; None if it does not run, or the engine cannot tell. May
        take a while. Thread-safe.
        """

    def storage(self, task_id: str) -> int | None:
        """Bytes that the task's containers have written to disk; None if the engine cannot tell.
        May take a while. Thread-safe.
        """

    def locate(self, task_id: str, container: str, port: int) -> str | None:
        """The address of this machine at which what listens on that TCP port in the container is
        reached; None: only `connect` reaches it. May take a while. Thread-safe.

        :raises OSError: as `connect` does.
        """

    def connect(
        self, task_id: str, container: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        """A connected stream ("tcp") or datagram ("udp") socket to what listens on that port in the
        container, and to nobody else. May take a while. Thread-safe.

        :raises ConnectionRefusedError: nothing of the container listens there; the text is for a
            person.
        :raises OSError: the connection cannot be made.
        """

    def listen(self, task_id: str, address: str, port: int) -> socket.socket:
        """A socket of this server that listens at one of the addresses that a task with an
        `own_network` reaches, for that task alone.

        :raises OSError: the port is taken, or the task has no such network.
        """

    def lose_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        """Lose packets in the network of a task that has an `own_network`. Thread-safe.

        :raises OSError: the system cannot, or the task has no such network.
        """

    def keep_packets(self, task_id: str, fault: BlackHole | PacketLoss) -> None:
        """Undo `lose_packets`. Thread-safe. :raises OSError: as there."""

    def remove(self, task_id: str) -> None:
        """Kill what still runs and free the sandbox; logs are kept until `discard`. Ends in
        `ContainerStopped` for whatever ran, then `Removed`.
        """

    def discard(self, task_id: str) -> None:
        """Forget the logs of a removed task."""

    def logs(self, task_id: str, container: str) -> ContainerLog:
        """What the container writes and wrote; empty for one that never ran. It can be kept and
        read until `discard`. Thread-safe.

        :raises KeyError: no such task or container.
        """

    def close(self) -> None:
        """Remove every task and whatever `open` made (namespace, cluster). Idempotent."""
