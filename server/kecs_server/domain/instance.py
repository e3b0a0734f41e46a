"""Container instances: the record, and what is free on one (ecs-facts 12).

The engine's hosts (this machine, a cluster's nodes) stand for some; others are registered by calls.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.demand import Demand
from kecs_server.domain.ports import RESERVED
from kecs_server.domain.query import Queried
from kecs_server.domain.tags import Tags
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
DRAINING = "DRAINING"
INACTIVE = "INACTIVE"

INSTANCE_RETENTION = 3600.0
"""Seconds that a deregistered instance can still be described. AWS promises no figure."""

AGENT_VERSION = "1.99.0"
"""Of the agent that this server stands for: the newest there is to update to."""

EXTERNAL = "ecs.capability.external"
ZONE = "ecs.availability-zone"

_DOCKER = "com.amazonaws.ecs.capability"
_DRIVERS = ("awslogs", "json-file", "syslog", "journald", "gelf", "fluentd", "splunk", "none")

ENGINE_CAPABILITIES = (
    *(f"{_DOCKER}.docker-remote-api.1.{minor}" for minor in range(17, 45)),
    *(f"{_DOCKER}.logging-driver.{driver}" for driver in (*_DRIVERS, "awsfirelens")),
    f"{_DOCKER}.ecr-auth",
    f"{_DOCKER}.privileged-container",
    f"{_DOCKER}.task-iam-role",
    f"{_DOCKER}.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.container-restart-policy",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.efsAuth",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.firelens.fluentbit",
    "ecs.capability.firelens.fluentd",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.private-registry-authentication.secretsmanager",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.task-eni",
)
"""Of an instance that says nothing of its own: its engine runs whatever a definition asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that the engine runs containers on. `cpu` in ECS units, `memory` in MiB.

    `node`: its name in a cluster; None: there is but one place, or the engine chooses.
    `is_connected`: something answers there.
    """

    cpu: int
    memory: int
    gpus: tuple[str, ...] = ()
    node: str | None = None
    architecture: str = ""
    zone: str | None = None
    instance_type: str | None = None
    is_connected: bool = True


UNKNOWN_HOST = Host(cpu=1024 * 1024, memory=1024 * 1024)
"""Stands for machines that cannot be seen: no task lacks room before their engine says so."""


@dataclass(slots=True, kw_only=True)
class ContainerInstance:
    """`resources` are the registered ones in wire form; `attributes` and `tags` those of now.

    `has_capabilities`: what it can do is among its attributes. `is_host`: the engine's own, which
    nobody registered. `has_own_agent`: somebody else runs its tasks, and submits their states.
    """

    id: str
    arn: str
    cluster_arn: str
    ec2_instance_id: str
    resources: list[Structure]
    attributes: dict[str, str | None]
    registered_at: float
    version_info: Structure = field(default_factory=dict)
    status: str = ACTIVE
    agent_connected: bool = True
    agent_update_status: str | None = None
    capacity_provider: str | None = None
    tags: Tags = field(default_factory=list)
    version: int = 1
    told_version: int = 0
    """The version that its last event had."""
    node: str | None = None
    has_capabilities: bool = False
    is_host: bool = False
    has_own_agent: bool = False
    deregistered_at: float | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""

    @property
    def is_registered(self) -> bool:
        return self.status != INACTIVE

    @property
    def gpus(self) -> list[str]:
        return string_set(self.resources, "GPU")

    def is_visible(self, now: float) -> bool:
        return self.deregistered_at is None or now - self.deregistered_at < INSTANCE_RETENTION

    def live_tasks(self) -> list[Task]:
        """Those placed on it that have not stopped."""
        for id in [id for id, task in self.tasks.items() if task.is_stopped]:
            del self.tasks[id]
        return list(self.tasks.values())

    def changed(self, now: float, text: str) -> None:
        """Something happened that ECS would send an event of."""
        self.version += 1
        self.news.append((now, text))


class Space:
    """What is free on an instance, and whose tasks it has, but for those of the group `without`."""

    def __init__(self, instance: ContainerInstance, *, without: str | None = None) -> None:
        self.instance = instance
        self.cpu = amount(instance.resources, "CPU")
        self.memory = amount(instance.resources, "MEMORY")
        self.ports = {
            (int(port), protocol)
            for name, protocol in (("PORTS", "tcp"), ("PORTS_UDP", "udp"))
            for port in string_set(instance.resources, name)
            if port.isdecimal()
        }
        self.gpus = list(instance.gpus)
        self.groups: Counter[str] = Counter()
        self.running = 0
        self.pending = 0
        for task in instance.live_tasks():
            if task.group == without:
                continue
            self.take(task)
            self.running += task.last_status == Status.RUNNING
            self.pending += task.last_status < Status.RUNNING

    def reserve(self, demand: Demand) -> None:
        self.cpu -= demand.cpu
        self.memory -= demand.memory
        self.ports |= demand.ports

    def take(self, task: Task) -> None:
        self.reserve(task.demand)
        for container in task.containers:
            for gpu in container.gpu_ids:
                if gpu in self.gpus:
                    self.gpus.remove(gpu)
        self.groups[task.group] += 1

    def queried(self) -> Queried:
        instance = self.instance
        return Queried(
            attributes=instance.attributes,
            agent_connected=instance.agent_connected,
            agent_version=instance.version_info.get("agentVersion"),
            ec2_instance_id=instance.ec2_instance_id,
            registered_at=instance.registered_at,
            running_tasks=self.running,
            groups=self.groups.keys(),
        )

    def remaining(self) -> list[Structure]:
        """The registered resources with what is left of them; of ports, those that are taken."""
        left: dict[str, Any] = {"CPU": self.cpu, "MEMORY": self.memory, "GPU": self.gpus}
        for name, protocol in (("PORTS", "tcp"), ("PORTS_UDP", "udp")):
            taken = sorted(port for port, its in self.ports if its == protocol)
            left[name] = [str(port) for port in taken]
        return [
            resource
            if resource["name"] not in left
            else string_set_resource(resource["name"], left[resource["name"]])
            if resource["type"] == "STRINGSET"
            else {**resource, _VALUES[resource["type"]]: left[resource["name"]]}
            for resource in self.instance.resources
        ]


_VALUES = {"INTEGER": "integerValue", "LONG": "longValue", "DOUBLE": "doubleValue"}


def integer_resource(name: str, value: int) -> Structure:
    zeros = {"doubleValue": 0.0, "longValue": 0}
    return {"name": name, "type": "INTEGER", **zeros, "integerValue": value}


def string_set_resource(name: str, values: Iterable[str]) -> Structure:
    zeros = {"doubleValue": 0.0, "longValue": 0, "integerValue": 0}
    return {"name": name, "type": "STRINGSET", **zeros, "stringSetValue": list(values)}


def amount(resources: Iterable[Structure], name: str) -> int:
    for resource in resources:
        if resource["name"] == name and resource["type"] in _VALUES:
            return int(resource.get(_VALUES[resource["type"]], 0))
    return 0


def string_set(resources: Iterable[Structure], name: str) -> list[str]:
    for resource in resources:
        if resource["name"] == name:
            return list(resource.get("stringSetValue", ()))
    return []


def host_resources(host: Host) -> list[Structure]:
    """All of the host, but for the ports that ECS keeps of every instance."""
    return [
        integer_resource("CPU", host.cpu),
        integer_resource("MEMORY", host.memory),
        string_set_resource("PORTS", map(str, sorted(RESERVED))),
        string_set_resource("PORTS_UDP", ()),
        *([string_set_resource("GPU", host.gpus)] if host.gpus else []),
    ]


def host_attributes(host: Host, zone: str) -> dict[str, str | None]:
    """What is true of the engine's host; it has no AMI, VPC or subnet.

    :param zone: its availability zone, unless it says one.
    """
    attributes: dict[str, str | None] = dict.fromkeys(ENGINE_CAPABILITIES)
    attributes |= {
        ZONE: host.zone or zone,
        "ecs.cpu-architecture": host.architecture or cpu_architecture(),
        "ecs.os-family": "LINUX",
        "ecs.os-type": "linux",
    }
    if host.instance_type:
        attributes["ecs.instance-type"] = host.instance_type
    return attributes


def cpu_architecture() -> str:
    """Of this machine, in ECS's words: x86_64 or arm64."""
    return architecture_word(platform.machine())


def architecture_word(machine: str) -> str:
    machine = machine.lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
