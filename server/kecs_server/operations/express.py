"""Express services: one call makes task definition and service (the model's words; developer
guide, "Amazon ECS Express Mode").

What is underneath is made, changed and deleted by the operations of task definitions and services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import MutableMapping
from contextlib import contextmanager
from typing import Any
from typing import TypeVar

from kecs_server.domain import express
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.express import Express
from kecs_server.domain.ingress import ROUTES_PER_BALANCER
from kecs_server.domain.ingress import LoadBalancer
from kecs_server.domain.ingress import default_subnets
from kecs_server.domain.ingress import new_backend
from kecs_server.domain.ingress import new_host_name
from kecs_server.domain.ingress import new_load_balancer
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import EcsError
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ResourceNotFoundException
from kecs_server.errors import ServiceNotActiveException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import express_rules as rules
from kecs_server.operations import lookup
from kecs_server.operations import views
from kecs_server.operations.clusters import create_cluster
from kecs_server.operations.express_views import express_view
from kecs_server.operations.express_views import updated_view
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.roles import check_infrastructure_role
from kecs_server.operations.services import create_service
from kecs_server.operations.services import delete_service
from kecs_server.operations.services import update_service
from kecs_server.operations.task_definitions import register_task_definition

Structure = dict[str, Any]
_PREFIX = "ecs-express-gateway"

Thing = TypeVar("Thing")

registry = Registry()


@registry.operation("CreateExpressGatewayService")
def create_express_gateway_service(call: Call, params: Structure) -> Structure:
    check_infrastructure_role(params["infrastructureRoleArn"])
    rules.check_new_source(params)
    rules.check_container(params.get("primaryContainer"))
    exposure = rules.checked_exposure(params)
    image = params.get("primaryContainer", {}).get("image", "")
    name = params.get("serviceName", express.name_for(image))
    rules.check_name(name)
    cluster_name = lookup.cluster_name(call, params.get("cluster"))
    balancer = _balancer(call)
    own = Express(
        infrastructure_role_arn=params["infrastructureRoleArn"],
        host_name=new_host_name(name, call.region),
        balancer=balancer,
        backend=new_backend(call.store.place, balancer, _PREFIX),
        family=f"{cluster_name}-{name}"[:255],
        log_group=express.log_group_for(cluster_name, name),
        updated_at=call.now,
    )
    with _undone_if_refused(call, own.family):
        cluster = _cluster(call, params.get("cluster"))
        create_service(
            call,
            {
                "cluster": cluster.name,
                "serviceName": name,
                "taskDefinition": _definition(call, own, params).arn,
                "desiredCount": exposure.scaling["minTaskCount"],
                **_capacity(cluster),
                "networkConfiguration": _network(call, params.get("networkConfiguration", {})),
                "tags": params.get("tags", []),
                "propagateTags": "SERVICE",
                "enableECSManagedTags": True,
            },
        )
    service = cluster.services[name]
    service.express = own
    own.exposures[service.primary.number] = exposure
    return {"service": express_view(service, own)}


@registry.operation("DescribeExpressGatewayService")
def describe_express_gateway_service(call: Call, params: Structure) -> Structure:
    with_tags = "TAGS" in views.checked_include(params, ("TAGS",))
    found = _find(call, params["serviceArn"])
    if found is None:
        raise ResourceNotFoundException("The specified Express service was not found.")
    _, service, own = found
    return {"service": express_view(service, own, with_tags=with_tags)}


@registry.operation("UpdateExpressGatewayService")
def update_express_gateway_service(call: Call, params: Structure) -> Structure:
    rules.check_source(params)
    rules.check_container(params.get("primaryContainer"))
    cluster, service, own = _find_active(call, params["serviceArn"])
    exposure = rules.checked_exposure(params, own.exposure_of(service.primary.number))
    request: Structure = {
        "cluster": cluster.name,
        "service": service.name,
        "desiredCount": _within(service.desired_count, exposure.scaling),
        "forceNewDeployment": True,
    }
    with _undone_if_refused(call, own.family):
        if {"taskDefinitionArn", *rules.OF_DEFINITION} & params.keys():
            request["taskDefinition"] = _definition(call, own, params, service).arn
        if "networkConfiguration" in params:
            request["networkConfiguration"] = _network(call, params["networkConfiguration"])
        update_service(call, request)
    own.exposures[service.primary.number] = exposure
    own.updated_at = call.now
    return {"service": updated_view(service, own)}


@registry.operation("DeleteExpressGatewayService")
def delete_express_gateway_service(call: Call, params: Structure) -> Structure:
    cluster, service, own = _find_active(call, params["serviceArn"])
    delete_service(call, {"cluster": cluster.name, "service": service.name, "force": True})
    own.updated_at = call.now
    return {"service": express_view(service, own)}


def _find(call: Call, arn: str) -> tuple[Cluster, Service, Express] | None:
    """:raises InvalidParameterException: not the ARN of a service of the caller's."""
    parts = lookup.own_parts(call, arn, "service")
    if len(parts) != 2:
        raise InvalidParameterException("Invalid arn syntax.")
    cluster = lookup.find_cluster(call, parts[0])
    service = lookup.find_service(call, cluster, parts[1])
    if service is None or service.express is None:
        return None
    return cluster, service, service.express


def _find_active(call: Call, arn: str) -> tuple[Cluster, Service, Express]:
    """:raises ServiceNotFoundException, ServiceNotActiveException: there is none to change."""
    found = _find(call, arn)
    if found is None:
        raise ServiceNotFoundException("Service not found.")
    if found[1].status != ACTIVE:
        raise ServiceNotActiveException
    return found


def _cluster(call: Call, reference: str | None) -> Cluster:
    """The cluster; the default one is made if need be, with capacity of Fargate."""
    existing = call.store.clusters.get(lookup.DEFAULT_CLUSTER)
    if not reference and (existing is None or not existing.is_active):
        create_cluster(call, {"capacityProviders": ["FARGATE"]})
    return lookup.find_active_cluster(call, reference)


def _balancer(call: Call) -> LoadBalancer:
    """One that other Express services share, if it has room, else a new one."""
    shared = Counter(
        service.express.balancer
        for cluster in call.store.clusters.values()
        for service in cluster.services.values()
        if service.express is not None and service.status != INACTIVE
    )
    for balancer, services in shared.items():
        if services < ROUTES_PER_BALANCER:
            return balancer
    return new_load_balancer(call.store.place, f"{_PREFIX}-alb")


def _definition(
    call: Call, own: Express, params: Structure, service: Service | None = None
) -> TaskDefinition:
    """The definition that is given, or a new one of what is given, and else of what is there.

    :raises EcsError: it cannot be used.
    """
    if "taskDefinitionArn" in params:
        definition = lookup.find_usable_definition(call, params["taskDefinitionArn"])
        rules.check_definition(definition)
        return definition
    current: Structure = {}
    if service is not None and service.primary.task_definition.family == own.family:
        current = express.members_of(service.primary.task_definition)
    members = {
        **current,
        **{member: params[member] for member in rules.OF_DEFINITION if member in params},
    }
    rules.check_new_source(members)
    request = express.registration(own.family, members, region=call.region, log_group=own.log_group)
    registered = register_task_definition(call, request)["taskDefinition"]
    return lookup.find_usable_definition(call, registered["taskDefinitionArn"])


def _capacity(cluster: Cluster) -> Structure:
    """Always of Fargate, as a provider where the cluster has it as one."""
    if "FARGATE" not in cluster.capacity_providers:
        return {"launchType": "FARGATE"}
    strategy = [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]
    return {"capacityProviderStrategy": strategy}


def _network(call: Call, given: Structure) -> Structure:
    """As CreateService takes it; without subnets in those of the default VPC."""
    configuration = {
        **given,
        "subnets": given.get("subnets") or default_subnets(call.store.place),
        "assignPublicIp": "ENABLED",
    }
    return {"awsvpcConfiguration": configuration}


def _within(count: int, scaling: Structure) -> int:
    return int(min(max(count, scaling["minTaskCount"]), scaling["maxTaskCount"]))


@contextmanager
def _undone_if_refused(call: Call, family: str) -> Iterator[None]:
    """Take away again the cluster and the revision that were made for a refused request."""
    clusters, families = call.store.clusters, call.store.families
    cluster = clusters.get(lookup.DEFAULT_CLUSTER)
    revisions = dict(families.get(family, {}))
    try:
        yield
    except EcsError:
        _put_back(clusters, lookup.DEFAULT_CLUSTER, cluster)
        _put_back(families, family, revisions or None)
        raise


def _put_back(where: MutableMapping[str, Thing], name: str, thing: Thing | None) -> None:
    if thing is None:
        where.pop(name, None)
    else:
        where[name] = thing
