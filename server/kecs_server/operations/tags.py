"""TagResource, UntagResource, ListTagsForResource (ecs-facts 14)."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Protocol

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.tags import refuse_reserved
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_set import TaskSet
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ResourceNotFoundException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.errors import TaskSetNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations.daemon_task_definitions import known_definition
from kecs_server.operations.daemons import find_daemon
from kecs_server.operations.gateways import find_gateway
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()


class Tagged(Protocol):
    tags: Tags


@registry.operation("TagResource")
def tag_resource(call: Call, params: Structure) -> Structure:
    target = _find(call, params["resourceArn"])
    _refuse_stopped(target)
    target.tags = merged_tags(target.tags, checked_tags(params["tags"]))
    return {}


@registry.operation("UntagResource")
def untag_resource(call: Call, params: Structure) -> Structure:
    target = _find(call, params["resourceArn"])
    _refuse_stopped(target)
    for key in params["tagKeys"]:
        refuse_reserved(key)
    target.tags = [tag for tag in target.tags if tag["key"] not in params["tagKeys"]]
    return {}


@registry.operation("ListTagsForResource")
def list_tags_for_resource(call: Call, params: Structure) -> Structure:
    return {"tags": _find(call, params["resourceArn"]).tags}


def _find(call: Call, text: str) -> Tagged:
    """What an ARN stands for.

    :raises EcsError: it is none, of another account or region, or nothing of it exists.
    """
    arn = parse_arn(text)
    if arn is None or arn.service != "ecs" or not arn.parts:
        raise InvalidParameterException("Invalid arn syntax.")
    lookup.own_parts(call, text, arn.kind)
    find = _FINDERS.get(arn.kind)
    if find is None:
        raise InvalidParameterException(f"Tags are not supported on a {arn.kind}.")
    return find(call, text)


def _cluster(call: Call, text: str) -> Cluster:
    return _active_cluster(call, lookup.own_parts(call, text, "cluster")[0])


def _task_definition(call: Call, text: str) -> TaskDefinition:
    definition = lookup.find_definition(call, text)
    if definition is None:
        raise ClientException("Unable to describe task definition.")
    return definition


def _service(call: Call, text: str) -> Service:
    cluster, name = _in_cluster(call, text, "service")
    service = lookup.find_service(call, cluster, name)
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    return service


def _task(call: Call, text: str) -> Task:
    cluster, identifier = _in_cluster(call, text, "task")
    task = lookup.find_task(call, cluster, identifier)
    if task is None:
        raise ResourceNotFoundException("The specified task was not found.")
    return task


def _task_set(call: Call, text: str) -> TaskSet:
    cluster, *names = lookup.own_parts(call, text, "task-set")
    service = _active_cluster(call, cluster).services.get(names[0] if names else "")
    task_set = service.task_set("/".join(names[1:])) if service else None
    if task_set is None:
        raise TaskSetNotFoundException
    return task_set


def _container_instance(call: Call, text: str) -> ContainerInstance:
    cluster, identifier = _in_cluster(call, text, "container-instance")
    instance = lookup.find_instance(call, cluster, identifier)
    if instance is None or not instance.is_registered:
        raise ResourceNotFoundException("The specified container instance was not found.")
    return instance


def _capacity_provider(call: Call, text: str) -> CapacityProvider:
    name = lookup.own_parts(call, text, "capacity-provider")[-1]
    provider = call.store.capacity_providers.get(name)
    if provider is None or not provider.is_visible(call.now):
        raise ResourceNotFoundException("The specified capacity provider was not found.")
    return provider


_FINDERS: Mapping[str, Callable[[Call, str], Tagged]] = {
    "capacity-provider": _capacity_provider,
    "cluster": _cluster,
    "container-instance": _container_instance,
    "daemon": find_daemon,
    "daemon-task-definition": known_definition,
    "gateway": find_gateway,
    "service": _service,
    "task": _task,
    "task-definition": _task_definition,
    "task-set": _task_set,
}
"""How a thing is found by its ARN, by the ARN's kind: everything that can have tags."""


def _in_cluster(call: Call, text: str, kind: str) -> tuple[Cluster, str]:
    """The ACTIVE cluster that a long ARN names, and what follows it.

    :raises InvalidParameterException: a short ARN, which cannot have tags.
    """
    parts = lookup.own_parts(call, text, kind)
    if len(parts) != 2:
        raise InvalidParameterException("Long arn format must be used for tagging operations")
    return _active_cluster(call, parts[0]), parts[1]


def _active_cluster(call: Call, name: str) -> Cluster:
    cluster = call.store.clusters.get(name)
    if cluster is None or not cluster.is_visible(call.now):
        raise ClusterNotFoundException
    if not cluster.is_active:
        raise InvalidParameterException(
            "The specified cluster is inactive. Specify an active cluster and try again."
        )
    return cluster


def _refuse_stopped(target: Tagged) -> None:
    if isinstance(target, Task) and target.is_stopped:
        raise InvalidParameterException(
            "The specified task is stopped. Specify a running task and try again."
        )
