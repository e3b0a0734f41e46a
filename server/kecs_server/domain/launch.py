"""Making tasks: the one place where a Task record is built, for RunTask and for services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import ecs_arn
from kecs_server.domain.arns import new_interface_id
from kecs_server.domain.arns import new_mac_address
from kecs_server.domain.arns import new_task_id
from kecs_server.domain.arns import new_uuid
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.demand import demand_of
from kecs_server.domain.demand import gpus_of
from kecs_server.domain.instance import ZONE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Space
from kecs_server.domain.managed_volume import ManagedVolume
from kecs_server.domain.tags import Tags
from kecs_server.domain.task import Container
from kecs_server.domain.task import NetworkInterface
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]

FARGATE_PLATFORM = "1.4.0"
"""What LATEST means (ecs-facts 6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a task is to be made. `tags` are the finished ones; there is at most one volume
    configuration, a checked one.
    """

    account: str
    region: str
    cluster: Cluster
    definition: TaskDefinition
    launch_type: str
    group: str
    now: float
    instance: ContainerInstance | None = None
    """Where it was placed; None on Fargate."""
    capacity_provider: str | None = None
    platform_version: str | None = None
    subnets: Sequence[str] = ()
    started_by: str | None = None
    service_name: str | None = None
    daemon_name: str | None = None
    enable_execute_command: bool = False
    overrides: Structure = field(default_factory=dict)
    volume_configurations: Sequence[Structure] = ()
    tags: Tags = field(default_factory=list)


def new_task(launch: Launch) -> Task:
    """A task in its first state, and a member of its cluster."""
    identifier = new_task_id()
    cluster, definition = launch.cluster, launch.definition

    def arn(kind: str, tail: str) -> str:
        return ecs_arn(launch.region, launch.account, f"{kind}/{cluster.name}/{tail}")

    is_awsvpc = definition.network_mode == "awsvpc"
    is_fargate = launch.launch_type == "FARGATE"
    instance = launch.instance
    overrides = _overrides(launch)
    volumes = [ManagedVolume.from_configuration(each) for each in launch.volume_configurations]
    task = Task(
        id=identifier,
        arn=arn("task", identifier),
        cluster_arn=cluster.arn,
        task_definition=definition,
        containers=[
            Container(
                name=container["name"],
                arn=arn("container", f"{identifier}/{new_uuid()}"),
                definition=container,
                override=override,
                essential=container["essential"],
            )
            for container, override in zip(
                definition.containers, overrides["containerOverrides"], strict=True
            )
        ],
        group=launch.group,
        launch_type=launch.launch_type,
        created_at=launch.now,
        availability_zone=_zone(launch),
        overrides=overrides,
        capacity_provider=launch.capacity_provider,
        platform_version=launch.platform_version if is_fargate else None,
        container_instance_arn=instance.arn if instance else None,
        node=instance.node if instance else None,
        is_remote=instance.has_own_agent if instance else False,
        demand=demand_of(definition, overrides),
        network_interface=_interface(launch) if is_awsvpc else None,
        managed_volume=volumes[0] if volumes else None,
        started_by=launch.started_by,
        service_name=launch.service_name,
        daemon_name=launch.daemon_name,
        enable_execute_command=launch.enable_execute_command,
        tags=list(launch.tags),
        last_status=Status.PROVISIONING if is_awsvpc or volumes else Status.PENDING,
    )
    task.news.append((launch.now, f"{task.last_status.name} ({definition.family})"))
    cluster.tasks[task.id] = task
    if instance is not None:
        _give_gpus(task, instance)
        instance.tasks[task.id] = task
    return task


def _give_gpus(task: Task, instance: ContainerInstance) -> None:
    if task.demand.gpus:
        free = Space(instance).gpus
        for container in task.containers:
            count = gpus_of({**container.definition, **container.override})
            container.gpu_ids = tuple(free[:count])
            free = free[count:]


def _zone(launch: Launch) -> str:
    zone = launch.instance.attributes.get(ZONE) if launch.instance else None
    return zone or f"{launch.region}a"


def _overrides(launch: Launch) -> Structure:
    """Echoed with one entry for each container, even without override (ecs-facts 5.5)."""
    given = {
        override["name"]: override
        for override in launch.overrides.get("containerOverrides", ())
        if "name" in override
    }
    return {
        "inferenceAcceleratorOverrides": [],
        **launch.overrides,
        "containerOverrides": [
            given.get(container["name"], {"name": container["name"]})
            for container in launch.definition.containers
        ],
    }


def _interface(launch: Launch) -> NetworkInterface:
    return NetworkInterface(
        attachment_id=new_uuid(),
        subnet_id=launch.subnets[0],
        interface_id=new_interface_id(),
        mac_address=new_mac_address(),
    )
