"""Service deployments and service revisions (ecs-facts 8.4, 8.5, 8.7).

What is asked for here is written down; the scheduler does it.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import CONTINUE
from kecs_server.domain.deployment import FAILED
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import PENDING
from kecs_server.domain.deployment import ROLLBACK
from kecs_server.domain.deployment import ROLLBACK_REQUESTED
from kecs_server.domain.deployment import STOP_REQUESTED
from kecs_server.domain.deployment import SUCCEEDED
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.errors import ConflictException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ServiceDeploymentNotFoundException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations.deployment_views import revision_view
from kecs_server.operations.deployment_views import service_deployment_brief
from kecs_server.operations.deployment_views import service_deployment_view
from kecs_server.operations.managed_resources import managed_resources
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

MAX_DESCRIBED = 20


@registry.operation("ListServiceDeployments")
def list_service_deployments(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    service = lookup.find_service(call, cluster, params["service"])
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    statuses = params.get("status", [])
    created = params.get("createdAt", {})
    before, after = created.get("before"), created.get("after")
    found = [
        way
        for way in service.history
        if way.is_visible(call.now)
        and (not statuses or way.status in statuses)
        and (before is None or way.created_at < before)
        and (after is None or way.created_at > after)
    ]
    shown, token = page(
        found,
        params,
        key=lambda way: (way.created_at, way.id),
        default=MAX_DESCRIBED,
        reverse=True,
    )
    return {
        "serviceDeployments": [service_deployment_brief(service, way) for way in shown],
        **token,
    }


@registry.operation("DescribeServiceDeployments")
def describe_service_deployments(call: Call, params: Structure) -> Structure:
    arns = _checked_arns(params, "serviceDeploymentArns")
    described, failures = [], []
    for arn in lookup.unique(arns):
        found = _find(call, arn)
        if found is None:
            failures.append(lookup.missing(arn))
        else:
            described.append(service_deployment_view(*found))
    return {"serviceDeployments": described, "failures": failures}


@registry.operation("DescribeServiceRevisions")
def describe_service_revisions(call: Call, params: Structure) -> Structure:
    arns = _checked_arns(params, "serviceRevisionArns")
    places = [lookup.own_parts(call, arn, "service-revision") for arn in arns]
    if len({parts[:-1] for parts in places}) > 1:
        raise InvalidParameterException(
            "Cross service requests are not allowed. All requested service revisions must be for "
            "a single service"
        )
    described, failures = [], []
    for arn, parts in zip(arns, places, strict=True):
        _, service = _place(call, parts)
        if service is not None and service.status == INACTIVE:
            raise InvalidParameterException(
                "Cannot call DescribeServiceRevisions for a service that is INACTIVE"
            )
        revision = service.revisions.get(parts[-1]) if service else None
        if service is None or revision is None:
            failures.append(lookup.missing(arn))
        else:
            managed = managed_resources(call.store.gateways.values(), service, revision)
            described.append({**revision_view(service, revision), **managed})
    return {"serviceRevisions": described, "failures": failures}


@registry.operation("StopServiceDeployment")
def stop_service_deployment(call: Call, params: Structure) -> Structure:
    arn = params["serviceDeploymentArn"]
    cluster, service, way = _found(call, arn)
    kind = params.get("stopType", ROLLBACK)
    if way.has_ended:
        raise ConflictException(
            f"The service deployment can not be stopped: its status is {way.status}.",
            resourceIds=[arn],
        )
    if way.status in (PENDING, IN_PROGRESS):
        if kind == ROLLBACK and service.last_completed is None:
            raise ConflictException(
                "The service deployment can not be rolled back: no deployment of the service has "
                "completed.",
                resourceIds=[arn],
            )
        way.status = ROLLBACK_REQUESTED if kind == ROLLBACK else STOP_REQUESTED
        way.updated_at = call.now
        call.realm.touch_service(cluster, service)
    return {"serviceDeploymentArn": arn}


@registry.operation("ContinueServiceDeployment")
def continue_service_deployment(call: Call, params: Structure) -> Structure:
    arn = params["serviceDeploymentArn"]
    cluster, service, way = _found(call, arn)
    action = params.get("action", CONTINUE)
    run = next((run for run in way.hooks if run.id == params["hookId"]), None)
    if run is None:
        raise InvalidParameterException("The service deployment has no such lifecycle hook.")
    if way.has_ended or not run.is_pause or not run.is_open:
        raise InvalidParameterException("The lifecycle hook does not wait for an action.")
    run.status = SUCCEEDED if action == CONTINUE else FAILED
    way.updated_at = call.now
    call.realm.touch_service(cluster, service)
    return {"serviceDeploymentArn": arn}


def _checked_arns(params: Structure, member: str) -> list[str]:
    arns: list[str] = params[member]
    if not 1 <= len(arns) <= MAX_DESCRIBED:
        raise InvalidParameterException(f"{member} can have 1 to {MAX_DESCRIBED} items.")
    return arns


def _found(call: Call, arn: str) -> tuple[Cluster, Service, ServiceDeployment]:
    """:raises ServiceDeploymentNotFoundException: there is no such service deployment."""
    found = _find(call, arn)
    if found is None:
        raise ServiceDeploymentNotFoundException
    return found


def _find(call: Call, arn: str) -> tuple[Cluster, Service, ServiceDeployment] | None:
    """:raises InvalidParameterException: the ARN is no service deployment's, or not ours."""
    parts = lookup.own_parts(call, arn, "service-deployment")
    cluster, service = _place(call, parts)
    if cluster is None or service is None:
        return None
    ways = [each for each in service.history if each.id == parts[-1] and each.is_visible(call.now)]
    return (cluster, service, ways[0]) if ways else None


def _place(call: Call, parts: tuple[str, ...]) -> tuple[Cluster | None, Service | None]:
    """The cluster and the service that an ARN's segments name.

    :raises InvalidParameterException: they are not a cluster, a service and an id.
    """
    if len(parts) != 3:
        raise InvalidParameterException("Invalid arn syntax.")
    cluster = call.store.clusters.get(parts[0])
    if cluster is None or not cluster.is_visible(call.now):
        return None, None
    return cluster, lookup.find_service(call, cluster, parts[1])
