"""Records to the structures that ECS answers with: the only place that builds them.

Times are epoch seconds with millisecond precision; absent members are left out (ecs-facts 1.2).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.cluster import Attachment
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.instance import cpu_architecture
from kecs_server.domain.managed_volume import ATTACHMENT_TYPE
from kecs_server.domain.managed_volume import CREATED
from kecs_server.domain.managed_volume import ManagedVolume
from kecs_server.domain.ports import Binding
from kecs_server.domain.task import Container
from kecs_server.domain.task import NetworkInterface
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ClientException

Structure = dict[str, Any]

_TASK_TIMES = (
    ("connectivityAt", "connectivity_at"),
    ("pullStartedAt", "pull_started_at"),
    ("pullStoppedAt", "pull_stopped_at"),
    ("startedAt", "started_at"),
    ("stoppingAt", "stopping_at"),
    ("executionStoppedAt", "execution_stopped_at"),
    ("stoppedAt", "stopped_at"),
)
_STATISTICS = (
    "runningEC2TasksCount",
    "runningFargateTasksCount",
    "pendingEC2TasksCount",
    "pendingFargateTasksCount",
    "runningExternalTasksCount",
    "pendingExternalTasksCount",
    "runningManagedInstancesTasksCount",
    "pendingManagedInstancesTasksCount",
    "activeEC2ServiceCount",
    "activeFargateServiceCount",
    "drainingEC2ServiceCount",
    "drainingFargateServiceCount",
    "activeExternalServiceCount",
    "drainingExternalServiceCount",
    "activeManagedInstancesServiceCount",
    "drainingManagedInstancesServiceCount",
)
_TYPE_WORDS = {
    "EC2": "EC2",
    "FARGATE": "Fargate",
    "EXTERNAL": "External",
    "MANAGED_INSTANCES": "ManagedInstances",
}


def checked_include(params: Structure, allowed: Collection[str]) -> frozenset[str]:
    """The values of `include`.

    :raises ClientException: one is not allowed (ecs-facts 4.5).
    """
    for value in params.get("include", ()):
        if value not in allowed:
            raise ClientException(
                f"{value} is not a valid value for include. The value must be one of "
                f"[[{', '.join(allowed)}]]"
            )
    return frozenset(params.get("include", ()))


def timestamp(seconds: float) -> float:
    return round(seconds, 3)


def without_absent(structure: Structure) -> Structure:
    return {name: value for name, value in structure.items() if value is not None}


def cluster_view(
    cluster: Cluster, now: float, *, include: Collection[str] = (), whole: bool = False
) -> Structure:
    """`whole` is the form of CreateCluster's answer."""
    view: Structure = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status(now),
        "registeredContainerInstancesCount": len(cluster.registered_instances()),
        "runningTasksCount": cluster.running_count(),
        "pendingTasksCount": cluster.pending_count(),
        "activeServicesCount": sum(s.status == "ACTIVE" for s in cluster.services.values()),
        "statistics": _statistics(cluster) if "STATISTICS" in include else [],
        "tags": cluster.tags if whole or "TAGS" in include else [],
        "settings": cluster.settings if whole or "SETTINGS" in include else [],
        "capacityProviders": list(cluster.capacity_providers),
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    }
    if whole or "CONFIGURATIONS" in include:
        view["configuration"] = cluster.configuration
    view["serviceConnectDefaults"] = cluster.service_connect_defaults
    if "ATTACHMENTS" in include or (whole and cluster.attachments):
        is_attaching = cluster.is_attaching(now)
        view["attachments"] = [
            _attachment_view(item, "PRECREATED" if is_attaching else "CREATED")
            for item in cluster.attachments
        ]
        if cluster.attached_at is not None:
            status = "UPDATE_IN_PROGRESS" if is_attaching else "UPDATE_COMPLETE"
            view["attachmentsStatus"] = status
    return without_absent(view)


def _attachment_view(attachment: Attachment, status: str) -> Structure:
    return {
        "id": attachment.id,
        "type": attachment.type,
        "status": status,
        "details": [{"name": name, "value": value} for name, value in attachment.details.items()],
    }


def capacity_provider_view(
    provider: CapacityProvider, now: float, *, with_tags: bool = True
) -> Structure:
    members = {
        "EC2_AUTOSCALING": "autoScalingGroupProvider",
        "MANAGED_INSTANCES": "managedInstancesProvider",
    }
    view: Structure = {
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "cluster": provider.cluster,
        "status": provider.status(now),
        "type": provider.type,
        "updateStatus": provider.update_status(now),
        "updateStatusReason": provider.failure,
        "tags": provider.tags if with_tags else [],
    }
    if provider.type in members:
        view[members[provider.type]] = provider.settings
    return without_absent(view)


def _statistics(cluster: Cluster) -> list[Structure]:
    counts = dict.fromkeys(_STATISTICS, 0)
    for (launch_type, status), count in cluster.tasks.counts.items():
        word = _TYPE_WORDS[launch_type]
        if status == Status.RUNNING:
            counts[f"running{word}TasksCount"] += count
        elif status < Status.RUNNING:
            counts[f"pending{word}TasksCount"] += count
    for service in cluster.services.values():
        word = _TYPE_WORDS[_launch_type(cluster, service.foremost)]
        if service.status != "INACTIVE":
            counts[f"{service.status.lower()}{word}ServiceCount"] += 1
    return [{"name": name, "value": str(value)} for name, value in counts.items()]


def _launch_type(cluster: Cluster, deployment: Deployment | None) -> str:
    if deployment is None:
        return "EC2"
    strategy = deployment.capacity_provider_strategy
    provider = strategy[0]["capacityProvider"] if strategy else None
    return deployment.launch_type or cluster.launch_type_of(provider)


def task_definition_view(definition: TaskDefinition) -> Structure:
    view = {
        **definition.body,
        "taskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        "requiresAttributes": [{"name": name} for name in definition.requires_attributes],
        "compatibilities": definition.compatibilities,
        "registeredAt": timestamp(definition.registered_at),
        "registeredBy": definition.registered_by,
    }
    if definition.deregistered_at is not None:
        view["deregisteredAt"] = timestamp(definition.deregistered_at)
    if definition.delete_requested_at is not None:
        view["deleteRequestedAt"] = timestamp(definition.delete_requested_at)
    return view


def task_view(task: Task, *, with_tags: bool = True) -> Structure:
    body = task.task_definition.body
    view: Structure = {
        "attachments": _attachments(task),
        "attributes": [{"name": "ecs.cpu-architecture", "value": cpu_architecture()}],
        "availabilityZone": task.availability_zone,
        "capacityProviderName": task.capacity_provider,
        "clusterArn": task.cluster_arn,
        "connectivity": "CONNECTED" if task.connectivity_at is not None else None,
        "containerInstanceArn": task.container_instance_arn,
        "containers": [_container_view(task, container) for container in task.containers],
        "cpu": task.overrides.get("cpu") or body.get("cpu") or _cpu_of_containers(task),
        "memory": task.overrides.get("memory") or body.get("memory") or _memory_of_containers(task),
        "createdAt": timestamp(task.created_at),
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.enable_execute_command,
        "group": task.group,
        "healthStatus": task.health_status,
        "lastStatus": task.last_status.name,
        "launchType": task.launch_type,
        "overrides": task.overrides,
        "platformVersion": task.platform_version,
        "startedBy": task.started_by,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "tags": task.tags if with_tags else [],
        "taskArn": task.arn,
        "taskDefinitionArn": task.task_definition.arn,
        "version": task.version,
    }
    for member, attribute in _TASK_TIMES:
        seconds = getattr(task, attribute)
        view[member] = None if seconds is None else timestamp(seconds)
    if task.launch_type == "FARGATE":
        view["platformFamily"] = "Linux"
        view["ephemeralStorage"] = {"sizeInGiB": task.ephemeral_storage}
        view["fargateEphemeralStorage"] = {"sizeInGiB": task.ephemeral_storage}
    return without_absent(view)


def _cpu_of_containers(task: Task) -> str:
    return str(sum(sizes.get("cpu", 0) for sizes in _sizes_of_containers(task)))


def _memory_of_containers(task: Task) -> str:
    sizes = _sizes_of_containers(task)
    return str(sum(each.get("memory") or each.get("memoryReservation") or 0 for each in sizes))


def _sizes_of_containers(task: Task) -> list[Structure]:
    return [{**container.definition, **container.override} for container in task.containers]


def _attachments(task: Task) -> list[Structure]:
    attachments = []
    if task.network_interface is not None:
        attachments.append(_interface_attachment(task.network_interface))
    if task.managed_volume is not None:
        attachments.append(_volume_attachment(task.managed_volume))
    return attachments


def _interface_attachment(interface: NetworkInterface) -> Structure:
    details = [{"name": "subnetId", "value": interface.subnet_id}]
    if interface.private_address is not None:
        details += [
            {"name": "networkInterfaceId", "value": interface.interface_id},
            {"name": "macAddress", "value": interface.mac_address},
            {"name": "privateIPv4Address", "value": interface.private_address},
        ]
    return {
        "id": interface.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": interface.status,
        "details": details,
    }


def _volume_attachment(volume: ManagedVolume) -> Structure:
    """The volume's id is there once it is made."""
    details = {
        "roleArn": volume.role,
        "volumeName": volume.name,
        "deleteOnTermination": "false" if volume.is_kept else "true",
    }
    if volume.status != CREATED:
        details["volumeId"] = volume.volume_id
    return {
        "id": volume.attachment_id,
        "type": ATTACHMENT_TYPE,
        "status": volume.status,
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }


def _container_view(task: Task, container: Container) -> Structure:
    definition = container.definition
    interfaces = []
    if task.network_interface is not None and task.network_interface.private_address:
        interfaces.append(
            {
                "attachmentId": task.network_interface.attachment_id,
                "privateIpv4Address": task.network_interface.private_address,
            }
        )
    override = container.override
    sizes = {
        member: override.get(member, definition.get(member))
        for member in ("cpu", "memory", "memoryReservation")
    }
    return without_absent(
        {
            "containerArn": container.arn,
            "taskArn": task.arn,
            "name": container.name,
            "image": definition["image"],
            "runtimeId": container.runtime_id,
            "lastStatus": container.last_status,
            "exitCode": container.exit_code,
            "reason": container.reason,
            "networkBindings": [_binding_view(binding) for binding in container.bindings],
            "networkInterfaces": interfaces,
            "gpuIds": list(container.gpu_ids) or None,
            "healthStatus": container.health_status,
            "managedAgents": _managed_agents(task, container),
            **{name: None if size is None else str(size) for name, size in sizes.items()},
        }
    )


def _binding_view(binding: Binding) -> Structure:
    """Host ports are bound at every address, in ECS's words, and reached at 127.0.0.1."""
    mapping, port = binding.mapping, binding.host_port
    view: Structure = {"bindIP": "0.0.0.0", "protocol": mapping.protocol}
    if mapping.is_range:
        view["containerPortRange"] = f"{mapping.first}-{mapping.last}"
        view["hostPortRange"] = f"{port}-{port + mapping.size - 1}"
    else:
        view["containerPort"] = mapping.first
        view["hostPort"] = port
    return view


def _managed_agents(task: Task, container: Container) -> list[Structure] | None:
    """The agent of ExecuteCommand is there while its container is (ecs-facts 15)."""
    if not task.enable_execute_command:
        return None
    agent: Structure = {"name": "ExecuteCommandAgent", "lastStatus": container.last_status}
    if container.started_at is not None:
        agent["lastStartedAt"] = timestamp(container.started_at)
    return [agent]
