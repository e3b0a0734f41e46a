"""Records to the documents of the task metadata endpoint, version 4 (ecs-facts 17.3, 17.4).

Members that are not known are left out, as by the agent. `asker` is the container that asks: it
runs, whether its engine has said so yet or not. `addresses` are those of single containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.task import Container
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.metadata.clock import clock_drift

Structure = dict[str, Any]

MIB = 1024 * 1024

_LABELS = "com.amazonaws.ecs"


def task_document(
    task: Task,
    asker: Container,
    addresses: Mapping[str, str],
    *,
    stored: int | None = None,
    with_tags: bool = False,
) -> Structure:
    """:param stored: bytes that the task has on disk, if that is known."""
    body = task.task_definition.body
    is_fargate = task.launch_type == "FARGATE"
    cluster = task.cluster_arn if is_fargate else task.cluster_arn.rpartition("/")[2]
    return _known(
        {
            "Cluster": cluster,
            "TaskARN": task.arn,
            "Family": task.task_definition.family,
            "Revision": str(task.task_definition.revision),
            "ServiceName": task.service_name,
            "DesiredStatus": task.desired_status,
            "KnownStatus": _known_status(task, asker),
            "Limits": _task_limits({**body, **task.overrides}),
            "PullStartedAt": moment(task.pull_started_at),
            "PullStoppedAt": moment(task.pull_stopped_at),
            "ExecutionStoppedAt": moment(task.execution_stopped_at),
            "AvailabilityZone": task.availability_zone,
            "LaunchType": task.launch_type,
            "ClockDrift": clock_drift() if is_fargate else None,
            "FaultInjectionEnabled": bool(body.get("enableFaultInjection")),
            "EphemeralStorageMetrics": _storage(task, stored),
            "TaskTags": _tags(task) if with_tags else None,
            "Containers": [
                container_document(task, each, asker, addresses) for each in task.containers
            ],
        }
    )


def container_document(
    task: Task, container: Container, asker: Container, addresses: Mapping[str, str]
) -> Structure:
    definition, override = container.definition, container.override
    log = definition.get("logConfiguration", {})
    return _known(
        {
            "DockerId": container.metadata_id,
            "Name": container.name,
            "DockerName": task.docker_name(container),
            "Image": definition["image"],
            "ImageID": container.image_digest,
            "Ports": _ports(container),
            "Labels": _labels(task, container),
            "DesiredStatus": task.desired_status,
            "KnownStatus": _container_status(task, container, asker),
            "ExitCode": container.exit_code,
            "Limits": {
                "CPU": override.get("cpu", definition["cpu"]),
                "Memory": override.get("memory", definition.get("memory", 0)),
            },
            "CreatedAt": moment(container.created_at),
            "StartedAt": moment(container.started_at),
            "FinishedAt": moment(container.finished_at) if container.is_stopped else None,
            "Type": "NORMAL",
            "Health": _health(container),
            "Volumes": _volumes(task, container),
            "LogDriver": log.get("logDriver"),
            "LogOptions": log.get("options"),
            "ContainerARN": container.arn,
            "RestartCount": container.restart_count if "restartPolicy" in definition else None,
            "Networks": _networks(task, addresses.get(container.name, task.address)),
        }
    )


def moment(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with nanoseconds."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{text}000Z"


def _known(structure: Structure) -> Structure:
    return {name: value for name, value in structure.items() if value not in (None, [], {})}


def _known_status(task: Task, asker: Container) -> str:
    """The agent knows fewer states than the task's `lastStatus` has. A task runs once all its
    containers have started, but for those that could not and are not essential.
    """
    if task.is_stopped:
        return "STOPPED"
    runs = all(
        each is asker or each.started or (each.is_stopped and not each.essential)
        for each in task.containers
    )
    return "RUNNING" if runs or task.last_status >= Status.RUNNING else "NONE"


def _container_status(task: Task, container: Container, asker: Container) -> str:
    if container.last_status != "PENDING":
        return container.last_status
    if container is asker:
        return "RUNNING"
    return "NONE" if task.pull_stopped_at is None else "PULLED"


def _task_limits(sizes: Structure) -> Structure:
    """CPU in vCPU, memory in MiB."""
    limits: Structure = {}
    if "cpu" in sizes:
        limits["CPU"] = int(sizes["cpu"]) / 1024
    if "memory" in sizes:
        limits["Memory"] = int(sizes["memory"])
    return limits


def _storage(task: Task, stored: int | None) -> Structure | None:
    """In MiB, and on Fargate only (ecs-facts 17.3)."""
    if task.ephemeral_storage is None or stored is None:
        return None
    return {"Utilized": stored // MIB, "Reserved": task.ephemeral_storage * 1024}


def _tags(task: Task) -> Structure:
    return {tag["key"]: tag.get("value", "") for tag in task.tags}


def _ports(container: Container) -> list[Structure]:
    host_ports = {
        (binding.mapping.first + index, binding.mapping.protocol): binding.host_port + index
        for binding in container.bindings
        for index in range(binding.mapping.size)
    }
    return [
        _known(
            {
                "ContainerPort": port,
                "Protocol": mapping.protocol,
                "HostPort": host_ports.get((port, mapping.protocol), mapping.host_port or None),
            }
        )
        for mapping in port_mappings(container.definition)
        for port in range(mapping.first, mapping.last + 1)
    ]


def _labels(task: Task, container: Container) -> dict[str, str]:
    return {
        **container.definition.get("dockerLabels", {}),
        f"{_LABELS}.cluster": task.cluster_arn.rpartition("/")[2],
        f"{_LABELS}.container-name": container.name,
        f"{_LABELS}.task-arn": task.arn,
        f"{_LABELS}.task-definition-family": task.task_definition.family,
        f"{_LABELS}.task-definition-version": str(task.task_definition.revision),
    }


def _health(container: Container) -> Structure | None:
    health = container.health
    if health is None:
        return None
    return _known(
        {
            "status": health.status,
            "statusSince": moment(health.since),
            "exitCode": health.exit_code,
            "output": health.output,
        }
    )


def _volumes(task: Task, container: Container) -> list[Structure]:
    sources = {
        volume["name"]: volume.get("host", {}).get("sourcePath")
        for volume in task.task_definition.body["volumes"]
    }
    return [
        _known(
            {
                "DockerName": point["sourceVolume"],
                "Source": sources.get(point["sourceVolume"]),
                "Destination": point["containerPath"],
            }
        )
        for point in container.definition["mountPoints"]
    ]


def _networks(task: Task, address: str | None) -> list[Structure]:
    mode = task.task_definition.network_mode
    interface = task.network_interface
    if interface is None:
        addresses = [address] if address and mode == "bridge" else []
        return [_known({"NetworkMode": mode, "IPv4Addresses": addresses})]
    return [
        _known(
            {
                "NetworkMode": mode,
                "IPv4Addresses": [interface.private_address] if interface.private_address else [],
                "AttachmentIndex": 0,
                "MACAddress": interface.mac_address,
            }
        )
    ]


def account_of(task: Task) -> tuple[str, str]:
    """The account and region that the task belongs to."""
    arn = parse_arn(task.arn)
    assert arn is not None
    return arn.account, arn.region
