"""Tasks and their containers: the records, and the moves between their states (ecs-facts 6)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from enum import IntEnum
from typing import Any

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.demand import Demand
from kecs_server.domain.managed_volume import ManagedVolume
from kecs_server.domain.ports import Binding
from kecs_server.domain.references import LogGroup
from kecs_server.domain.references import Resources
from kecs_server.domain.references import WantedFile
from kecs_server.domain.references import WantedSecret
from kecs_server.domain.references import log_group
from kecs_server.domain.references import wanted_secrets
from kecs_server.domain.tags import Tags
from kecs_server.domain.target import Target
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]


class Status(IntEnum):
    """`lastStatus` of a task, in the order in which it can only grow (ecs-facts 6.1)."""

    PROVISIONING = 1
    PENDING = 2
    ACTIVATING = 3
    RUNNING = 4
    DEACTIVATING = 5
    STOPPING = 6
    DEPROVISIONING = 7
    STOPPED = 8


FARGATE_STORAGE = 20
"""GiB of ephemeral storage that a task has without asking (ecs-facts 6.4)."""

TASK_RETENTION = 3600.0
"""Seconds that a stopped task can still be described (ecs-facts 5.9)."""


@dataclass(slots=True)
class Health:
    """What a container's health check has found since the container's last start (ecs-facts 6.10).

    failures: those in a row that count; settled: its grace is over; due_at: when the next check is
    to begin, which takes `pause` more seconds each time until the grace is over; told: how the
    last check failed, as the timeline has it.
    """

    due_at: float
    grace_until: float
    pause: float
    status: str = "UNKNOWN"
    since: float | None = None
    failures: int = 0
    settled: bool = False
    checking: bool = False
    exit_code: int | None = None
    output: str = ""
    told: str = ""


@dataclass(slots=True, kw_only=True)
class Container:
    """A container of a task. `override` is what RunTask said of it, at least its name.
    `released`, `started`, `stopping`, `restart_due` and `lines_routed` (to its task's router, all
    there will be) are the agent's own notes; the times are of its last start and end. `health` is
    None without a health check.
    """

    name: str
    arn: str
    definition: Structure
    override: Structure
    essential: bool
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str | None = None
    image_digest: str | None = None
    released: bool = False
    started: bool = False
    stopping: bool = False
    restart_due: bool = False
    lines_routed: bool = False
    restart_count: int = 0
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    health: Health | None = None
    bindings: tuple[Binding, ...] = ()
    gpu_ids: tuple[str, ...] = ()
    metadata_id: str = field(default_factory=lambda: secrets.token_hex(16))
    """What the container's metadata address ends with: whoever knows it may ask."""

    @property
    def is_stopped(self) -> bool:
        return self.last_status == "STOPPED"

    @property
    def awaits_routing(self) -> bool:
        """It has written, or may have, what a router of its task does not have yet."""
        return self.started and not self.lines_routed

    @property
    def health_status(self) -> str:
        return self.health.status if self.health else "UNKNOWN"


@dataclass(slots=True, kw_only=True)
class NetworkInterface:
    """The ENI of an awsvpc task."""

    attachment_id: str
    subnet_id: str
    interface_id: str
    mac_address: str
    status: str = "PRECREATED"
    private_address: str | None = None


@dataclass(slots=True, kw_only=True)
class Task:
    """A task. Times are epoch seconds of the realm's clock."""

    id: str
    arn: str
    cluster_arn: str
    task_definition: TaskDefinition
    containers: list[Container]
    group: str
    launch_type: str
    created_at: float
    availability_zone: str
    overrides: Structure
    capacity_provider: str | None = None
    platform_version: str | None = None
    container_instance_arn: str | None = None
    node: str | None = None
    """The node of its cluster that it is to run on; None: any."""
    is_remote: bool = False
    """Somebody else runs it and submits its states: the agent of its container instance."""
    is_orphaned: bool = False
    """It runs on, and nobody looks after it: its container instance was deregistered."""
    demand: Demand = field(default_factory=Demand)
    """What it takes of its container instance."""
    network_interface: NetworkInterface | None = None
    managed_volume: ManagedVolume | None = None
    address: str | None = None
    """Where all its containers are reached, once the engine knows."""
    started_by: str | None = None
    service_name: str | None = None
    daemon_name: str | None = None
    targets: tuple[Target, ...] = ()
    """What it is for the load balancers of its service."""
    enable_execute_command: bool = False
    tags: Tags = field(default_factory=list)
    last_status: Status = Status.PENDING
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    version: int = 1
    connectivity_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    fetch_asked: bool = False
    resources: Resources | None = field(default=None, repr=False)
    """What the task's references stand for, once it has been fetched."""
    provision_asked: bool = False
    provisioned: bool = False
    removal_asked: bool = False
    credentials_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """As `Container.metadata_id`, for the credentials of the task's role."""
    protected_until: float | None = None
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""
    on_move: Callable[[Task, Status], None] | None = field(default=None, repr=False, compare=False)
    """Called after each move, with the status before it."""
    told: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)
    """The statuses that its last event had."""

    @property
    def is_stopped(self) -> bool:
        return self.last_status == Status.STOPPED

    @property
    def role(self) -> str | None:
        """ARN or name of the role whose credentials the task's containers get."""
        body = self.task_definition.body
        role: str | None = self.overrides.get("taskRoleArn") or body.get("taskRoleArn")
        return role

    @property
    def ephemeral_storage(self) -> int | None:
        """GiB; None outside Fargate, where nobody counts (ecs-facts 6.4)."""
        if self.launch_type != "FARGATE":
            return None
        given = self.overrides.get("ephemeralStorage") or self.task_definition.body.get(
            "ephemeralStorage", {"sizeInGiB": FARGATE_STORAGE}
        )
        return int(given["sizeInGiB"])

    @property
    def service_arn(self) -> str | None:
        """Of the service that it is of: its cluster's with another kind (ecs-facts 2.1)."""
        if self.service_name is None:
            return None
        return f"{self.cluster_arn.replace(':cluster/', ':service/', 1)}/{self.service_name}"

    def is_protected(self, now: float) -> bool:
        return self.protected_until is not None and now < self.protected_until

    @property
    def is_awsvpc(self) -> bool:
        return self.network_interface is not None

    def container(self, name: str) -> Container:
        """:raises KeyError: no such container."""
        for container in self.containers:
            if container.name == name:
                return container
        raise KeyError(name)

    def docker_name(self, container: Container) -> str:
        definition = self.task_definition
        return f"ecs-{definition.family}-{definition.revision}-{container.name}-{self.id[:20]}"

    def wanted_secrets(self) -> list[WantedSecret]:
        definitions = [container.definition for container in self.containers]
        arn = parse_arn(self.arn)
        assert arn is not None
        return list(wanted_secrets(definitions, arn.region, arn.account))

    def wanted_files(self) -> list[WantedFile]:
        """The definition's files of each container, then those that its override adds."""
        return [
            WantedFile(container.name, file["value"])
            for container in self.containers
            for given in (container.definition, container.override)
            for file in given.get("environmentFiles", ())
        ]

    @property
    def has_health_check(self) -> bool:
        for container in self.containers:  # `any` takes twice as long, and this is asked often
            if container.essential and "healthCheck" in container.definition:
                return True
        return False

    @property
    def needs_resources(self) -> bool:
        """Whether something is to be fetched or seen to before it is provisioned."""
        drivers = [
            container.definition.get("logConfiguration", {}).get("logDriver")
            for container in self.containers
        ]
        return bool("awslogs" in drivers or self.wanted_secrets() or self.wanted_files())

    def log_group(self, container: Container) -> LogGroup | None:
        """Where the container's lines go, if its log driver is awslogs and resources are there."""
        if self.resources is None:
            return None
        return log_group(container.definition, self.resources.log_options.get(container.name, {}))

    @property
    def health_status(self) -> str:
        """Of the essential containers with a check: UNHEALTHY if any is, HEALTHY if all are
        (ecs-facts 6.10).
        """
        found = {
            container.health_status
            for container in self.containers
            if container.essential and "healthCheck" in container.definition
        }
        for status in ("UNHEALTHY", "UNKNOWN", "HEALTHY"):
            if status in found:
                return status
        return "UNKNOWN"

    def is_visible(self, now: float) -> bool:
        """A stopped task is forgotten after `TASK_RETENTION`."""
        return self.stopped_at is None or now - self.stopped_at < TASK_RETENTION


def move(task: Task, status: Status, now: float) -> None:
    """Bring the task to a later state; an earlier or equal one is left alone."""
    if status <= task.last_status:
        return
    before, task.last_status = task.last_status, status
    if task.on_move is not None:
        task.on_move(task, before)
    task.news.append((now, f"{status.name}"))
    if status == Status.RUNNING:
        task.started_at = now
    if status == Status.STOPPED:
        task.stopped_at = now
    if status in (Status.PENDING, Status.RUNNING, Status.STOPPED):
        task.version += 1


def want_stopped(task: Task, code: str, reason: str, now: float) -> None:
    """Set the desired status to STOPPED; the first cause stays (ecs-facts 6.1, 6.5)."""
    if task.desired_status == "STOPPED":
        return
    task.desired_status = "STOPPED"
    task.stop_code = code
    task.stopped_reason = reason
    task.stopping_at = now
    task.version += 1
    task.news.append((now, f"to be stopped: {code}: {reason}"))


def orphan(task: Task, now: float) -> None:
    """Its container instance is deregistered by force: the record is STOPPED at once, and what
    runs of the task runs on (the model's documentation of DeregisterContainerInstance). One that
    was told to stop before does so.
    """
    if task.desired_status == "STOPPED" and not task.is_remote:
        return
    want_stopped(task, "UserInitiated", "Container instance deregistration forced by user", now)
    for container in task.containers:
        container.last_status = "STOPPED"
    if task.network_interface is not None:
        task.network_interface.status = "DELETED"
    if task.managed_volume is not None:
        task.managed_volume.end()
    task.is_orphaned = not task.is_remote
    move(task, Status.STOPPED, now)
