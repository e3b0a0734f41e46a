"""TagResource, UntagResource, ListTagsForResource (ecs-facts 14)."""

from __future__ import annotations

from typing import Any
from typing import Protocol

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.tags import refuse_reserved
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import NotImplementedException
from kecs_server.errors import ResourceNotFoundException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations.daemon_task_definitions import known_definition
from kecs_server.operations.gateways import find_gateway
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()


class Tagged(Protocol):
    tags: Tags


@registry.operation("TagResource")
def tag_resource(call: Call, params: Structure) -> Structure:
    target = _find(call, params["resourceArn"], to_change=True)
    target.tags = merged_tags(target.tags, checked_tags(params["tags"]))
    return {}


@registry.operation("UntagResource")
def untag_resource(call: Call, params: Structure) -> Structure:
    target = _find(call, params["resourceArn"], to_change=True)
    for key in params["tagKeys"]:
        refuse_reserved(key)
    target.tags = [tag for tag in target.tags if tag["key"] not in params["tagKeys"]]
    return {}


@registry.operation("ListTagsForResource")
def list_tags_for_resource(call: Call, params: Structure) -> Structure:
    return {"tags": _find(call, params["resourceArn"], to_change=False).tags}


def _find(call: Call, text: str, *, to_change: bool) -> Tagged:
    arn = parse_arn(text)
    if arn is None or arn.service != "ecs" or not arn.parts:
        raise InvalidParameterException("Invalid arn syntax.")
    parts = lookup.own_parts(call, text, arn.kind)
    if arn.kind == "cluster":
        return _active_cluster(call, parts[0])
    if arn.kind == "task-definition":
        definition = lookup.find_definition(call, text)
        if definition is None:
            raise ClientException("Unable to describe task definition.")
        return definition
    if arn.kind == "daemon-task-definition":
        return known_definition(call, text)
    if arn.kind == "gateway":
        return find_gateway(call, text)
    if arn.kind not in ("task", "service"):
        raise NotImplementedException(f"pytest-kecs has no tags on a {arn.kind} yet.")
    if len(parts) != 2:
        raise InvalidParameterException("Long arn format must be used for tagging operations")
    cluster = _active_cluster(call, parts[0])
    if arn.kind == "service":
        service = lookup.find_service(call, cluster, parts[1])
        if service is None:
            raise ServiceNotFoundException("Service not found.")
        return service
    task = lookup.find_task(call, cluster, parts[1])
    if task is None:
        raise ResourceNotFoundException("The specified task was not found.")
    if task.is_stopped and to_change:
        raise InvalidParameterException(
            "The specified task is stopped. Specify a running task and try again."
        )
    return task


def _active_cluster(call: Call, name: str) -> Cluster:
    cluster = call.store.clusters.get(name)
    if cluster is None or not cluster.is_visible(call.now):
        raise ClusterNotFoundException
    if not cluster.is_active:
        raise InvalidParameterException(
            "The specified cluster is inactive. Specify an active cluster and try again."
        )
    return cluster
