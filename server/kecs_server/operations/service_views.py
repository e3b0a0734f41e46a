"""Services and deployments as DescribeServices gives them (ecs-facts 7.2, 8.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.arns import service_role_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task_set import TaskSet
from kecs_server.operations.placement import resolved_platform
from kecs_server.operations.views import timestamp
from kecs_server.operations.views import without_absent

Structure = dict[str, Any]

_OF_SERVICE = ("loadBalancers", "serviceRegistries")
_OF_DEPLOYMENT = (
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
"""Which members of a revision the service's answer has, and which its deployments'."""


def service_view(service: Service, cluster: Cluster, *, with_tags: bool = True) -> Structure:
    tasks = cluster.service_tasks(service.name)
    foremost = service.foremost
    way = service.current
    is_inactive = service.status == INACTIVE
    deployments = [] if is_inactive else service.deployments
    view: Structure = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": _count(tasks, Status.RUNNING),
        "pendingCount": _count_pending(tasks),
        **_own(foremost),
        "deploymentConfiguration": service.deployment_configuration,
        "deployments": [
            _deployment_view(deployment, tasks, is_primary=deployment is foremost)
            for deployment in deployments
        ],
        "taskSets": [
            task_set_view(service, task_set, tasks, with_tags=with_tags)
            for task_set in service.task_sets
        ]
        if service.has_task_sets
        else None,
        "roleArn": _role_arn(service),
        "events": [
            {
                "id": event.id,
                "createdAt": timestamp(event.created_at),
                "message": event.message,
            }
            for event in ([] if is_inactive else service.events)
        ],
        "createdAt": timestamp(service.created_at),
        "currentServiceRevisions": [revision_summary(service, each, tasks) for each in deployments],
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": service.scheduling_strategy,
        "deploymentController": {"type": service.controller},
        "createdBy": service.created_by,
        "enableECSManagedTags": service.enable_managed_tags,
        "propagateTags": service.propagate_tags,
        "enableExecuteCommand": service.enable_execute_command,
        "availabilityZoneRebalancing": service.rebalancing,
        "resourceManagementType": service.resource_management_type,
        "tags": service.tags if with_tags else [],
        "currentServiceDeployment": service.deployment_arn(way) if way else None,
        **service.settings,
    }
    return without_absent(view)


def _own(foremost: Deployment | None) -> Structure:
    """What the service is as a whole: as its foremost deployment or task set."""
    if foremost is None:
        return {"launchType": "EC2", **_links(None)}
    return {
        **capacity_of(foremost),
        "platformVersion": foremost.platform_version,
        "platformFamily": "Linux" if foremost.platform_version else None,
        "taskDefinition": foremost.task_definition.arn,
        "networkConfiguration": foremost.network_configuration,
        **_links(foremost),
    }


def _links(deployment: Deployment | None) -> Structure:
    settings = deployment.settings if deployment else {}
    return {name: settings.get(name, []) for name in _OF_SERVICE}


def capacity_of(deployment: Deployment) -> Structure:
    if deployment.launch_type is None:
        return {"capacityProviderStrategy": deployment.capacity_provider_strategy}
    return {"launchType": deployment.launch_type}


def _role_arn(service: Service) -> str | None:
    """The service-linked role, where ECS needs one: awsvpc, a load balancer, task sets."""
    if not service.has_task_sets:
        primary = service.primary
        if not primary.network_configuration and not primary.settings.get("loadBalancers"):
            return None
    arn = parse_arn(service.arn)
    return service_role_arn(arn.region, arn.account) if arn else None


def _deployment_view(
    deployment: Deployment, tasks: Sequence[Task], *, is_primary: bool
) -> Structure:
    own = [task for task in tasks if task.started_by == deployment.id]
    own_settings = deployment.settings
    return without_absent(
        {
            "id": deployment.id,
            "status": "PRIMARY" if is_primary else "ACTIVE",
            "taskDefinition": deployment.task_definition.arn,
            "desiredCount": deployment.desired_count,
            "pendingCount": _count_pending(own),
            "runningCount": _count(own, Status.RUNNING),
            "failedTasks": deployment.failed_tasks,
            "createdAt": timestamp(deployment.created_at),
            "updatedAt": timestamp(deployment.updated_at),
            **capacity_of(deployment),
            "platformVersion": resolved_platform(deployment.platform_version),
            "platformFamily": "Linux" if deployment.platform_version else None,
            "networkConfiguration": deployment.network_configuration,
            **{name: own_settings[name] for name in _OF_DEPLOYMENT if name in own_settings},
            "rolloutState": deployment.rollout_state,
            "rolloutStateReason": deployment.rollout_reason,
        }
    )


def task_set_view(
    service: Service, task_set: TaskSet, tasks: Sequence[Task], *, with_tags: bool = True
) -> Structure:
    """:param tasks: the service's."""
    deployment = task_set.deployment
    own = [task for task in tasks if task.started_by == task_set.id]
    return without_absent(
        {
            "id": task_set.id,
            "taskSetArn": task_set.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "startedBy": task_set.started_by,
            "externalId": task_set.external_id,
            "status": task_set.status,
            "taskDefinition": deployment.task_definition.arn,
            "computedDesiredCount": task_set.desired_count,
            "pendingCount": _count_pending(own),
            "runningCount": _count(own, Status.RUNNING),
            "createdAt": timestamp(deployment.created_at),
            "updatedAt": timestamp(task_set.updated_at),
            **capacity_of(deployment),
            "platformVersion": resolved_platform(deployment.platform_version),
            "platformFamily": "Linux" if deployment.platform_version else None,
            "networkConfiguration": deployment.network_configuration,
            **_links(deployment),
            "scale": {"value": task_set.scale, "unit": "PERCENT"},
            "stabilityStatus": task_set.stability,
            "stabilityStatusAt": timestamp(task_set.stability_at),
            "tags": task_set.tags if with_tags else [],
        }
    )


def revision_summary(service: Service, revision: Deployment, tasks: Sequence[Task]) -> Structure:
    own = [task for task in tasks if task.started_by == revision.id]
    return {
        "arn": service.revision_arn(revision),
        "requestedTaskCount": revision.desired_count,
        "runningTaskCount": _count(own, Status.RUNNING),
        "pendingTaskCount": _count_pending(own),
    }


def _count(tasks: Sequence[Task], status: Status) -> int:
    return sum(task.last_status == status for task in tasks)


def _count_pending(tasks: Sequence[Task]) -> int:
    return sum(task.last_status < Status.RUNNING for task in tasks)
