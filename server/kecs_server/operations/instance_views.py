"""Container instances to the structures that ECS answers with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Space
from kecs_server.operations.views import timestamp
from kecs_server.operations.views import without_absent

Structure = dict[str, Any]

TARGET_TYPE = "container-instance"


def instance_view(instance: ContainerInstance, *, include: Collection[str] = ()) -> Structure:
    space = Space(instance)
    view: Structure = {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_instance_id,
        "capacityProviderName": instance.capacity_provider,
        "version": instance.version,
        "versionInfo": instance.version_info,
        "remainingResources": space.remaining(),
        "registeredResources": instance.resources,
        "status": instance.status,
        "agentConnected": instance.agent_connected,
        "runningTasksCount": space.running,
        "pendingTasksCount": space.pending,
        "agentUpdateStatus": instance.agent_update_status,
        "attributes": [
            without_absent({"name": name, "value": value})
            for name, value in instance.attributes.items()
        ],
        "registeredAt": timestamp(instance.registered_at),
        "attachments": [],
        "tags": instance.tags if "TAGS" in include else [],
    }
    if "CONTAINER_INSTANCE_HEALTH" in include:
        view["healthStatus"] = _health(instance)
    return without_absent(view)


def attribute_view(instance: ContainerInstance, name: str, value: str | None) -> Structure:
    view = {"name": name, "value": value, "targetType": TARGET_TYPE, "targetId": instance.arn}
    return without_absent(view)


def _health(instance: ContainerInstance) -> Structure:
    """Of the container runtime, as far as a connected agent says."""
    status = "OK" if instance.agent_connected else "INSUFFICIENT_DATA"
    since = timestamp(instance.registered_at)
    check = {"type": "CONTAINER_RUNTIME", "status": status}
    return {
        "overallStatus": status,
        "details": [{**check, "lastUpdated": since, "lastStatusChange": since}],
    }
