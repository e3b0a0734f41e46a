"""Container instances (ecs-facts 12)."""

from __future__ import annotations

import re
from typing import Any

from kecs_server.domain import hosts
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.instance import AGENT_VERSION
from kecs_server.domain.instance import DRAINING
from kecs_server.domain.instance import INACTIVE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Space
from kecs_server.domain.placement import expression
from kecs_server.domain.query import QueryError
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.task import orphan
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import MissingVersionException
from kecs_server.errors import NoUpdateAvailableException
from kecs_server.errors import UpdateInProgressException
from kecs_server.operations import lookup
from kecs_server.operations import registering
from kecs_server.operations import views
from kecs_server.operations.instance_views import instance_view
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

MAX_DESCRIBED = 100
MAX_UPDATED = 10

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_UPDATING = ("PENDING", "STAGING", "STAGED", "UPDATING")


@registry.operation("RegisterContainerInstance")
def register_container_instance(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    if "containerInstanceArn" in params:
        instance = _registered_again(call, cluster, params)
    else:
        instance = registering.new_instance(call, cluster, params)
    call.realm.touch_instance(cluster, instance)
    return {"containerInstance": instance_view(instance, include=("TAGS",))}


@registry.operation("DeregisterContainerInstance")
def deregister_container_instance(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    instance = lookup.registered_instance(call, cluster, params["containerInstance"])
    tasks = instance.live_tasks()
    if tasks and not params.get("force", False):
        raise InvalidParameterException("Found running tasks on the instance.")
    deregister(call, cluster, instance)
    for task in tasks:
        orphan(task, call.now)
        call.realm.touch_task(cluster, task)
    return {"containerInstance": instance_view(instance)}


def deregister(call: Call, cluster: Cluster, instance: ContainerInstance) -> None:
    """Take the instance out of its cluster; its tasks are left alone."""
    hosts.deregister(cluster, instance, call.now)
    call.realm.touch_instance(cluster, instance)


@registry.operation("DescribeContainerInstances")
def describe_container_instances(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    include = views.checked_include(params, ("TAGS", "CONTAINER_INSTANCE_HEALTH"))
    instances, failures = [], []
    for identifier in _identifiers(call, cluster, params, MAX_DESCRIBED):
        instance = lookup.find_instance(call, cluster, identifier)
        if instance is None:
            failures.append(_missing(call, cluster, identifier))
        else:
            instances.append(instance_view(instance, include=include))
    return {"containerInstances": instances, "failures": failures}


@registry.operation("ListContainerInstances")
def list_container_instances(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    instances = [
        instance
        for instance in cluster.registered_instances()
        if params.get("status") in (None, instance.status)
    ]
    if params.get("filter"):
        try:
            is_wanted = expression(params["filter"])
        except QueryError as error:
            raise InvalidParameterException(f"Invalid filter expression: {error}") from None
        instances = [each for each in instances if is_wanted(Space(each).queried())]
    arns = [instance.arn for instance in instances]
    shown, token = page(arns, params, key=lambda arn: (arn,))
    return {"containerInstanceArns": shown, **token}


@registry.operation("UpdateContainerInstancesState")
def update_container_instances_state(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    if params["status"] not in (ACTIVE, DRAINING):
        raise InvalidParameterException(
            "Container instance status should be one of [ACTIVE, DRAINING]"
        )
    instances, failures = [], []
    for identifier in _identifiers(call, cluster, params, MAX_UPDATED):
        instance = lookup.find_instance(call, cluster, identifier)
        if instance is None:
            failures.append(_missing(call, cluster, identifier))
        elif not instance.is_registered:
            failures.append({"arn": instance.arn, "reason": INACTIVE})
        else:
            _set_status(call, cluster, instance, params["status"])
            instances.append(instance_view(instance))
    return {"containerInstances": instances, "failures": failures}


@registry.operation("UpdateContainerAgent")
def update_container_agent(call: Call, params: Structure) -> Structure:
    """The agent of the engine is updated at once; another is, when it registers again."""
    cluster = lookup.find_cluster(call, params.get("cluster"))
    instance = lookup.registered_instance(call, cluster, params["containerInstance"])
    version = _VERSION.match(instance.version_info.get("agentVersion", ""))
    if version is None:
        raise MissingVersionException(
            "Amazon ECS can't determine the current version of the container agent on this "
            "container instance."
        )
    if instance.agent_update_status in _UPDATING:
        raise UpdateInProgressException(
            "There's already a current Amazon ECS container agent update in progress on this "
            "container instance."
        )
    newest = _VERSION.match(AGENT_VERSION)
    assert newest is not None
    if tuple(map(int, version.groups())) >= tuple(map(int, newest.groups())):
        raise NoUpdateAvailableException(
            "There's no update available for this Amazon ECS container agent."
        )
    instance.agent_update_status = "PENDING"
    instance.changed(call.now, "agent to be updated")
    answer = {"containerInstance": instance_view(instance)}
    if not instance.has_own_agent:
        instance.agent_update_status = "UPDATED"
        instance.version_info = {**instance.version_info, "agentVersion": AGENT_VERSION}
        instance.changed(call.now, f"agent updated to {AGENT_VERSION}")
    call.realm.touch_instance(cluster, instance)
    return answer


def _registered_again(call: Call, cluster: Cluster, params: Structure) -> ContainerInstance:
    """What the agent says anew of an instance that it has registered before; attributes that were
    put on it stay.
    """
    instance = lookup.registered_instance(call, cluster, params["containerInstanceArn"])
    document = registering.identity(params)
    given = registering.document_attributes(document) | registering.own_attributes(params)
    former = instance.attributes.get(registering.INSTANCE_TYPE)
    if former is not None and given.get(registering.INSTANCE_TYPE, former) != former:
        raise ClientException(
            "Container instance type changes are not supported. Container instance "
            f"{instance.id} was previously registered with {former}."
        )
    if {"totalResources", "platformDevices"} & params.keys():
        host = registering.host_of(call, instance)
        instance.resources = registering.checked_resources(params, host)
    if "tags" in params:
        instance.tags = checked_tags(params["tags"])
    instance.attributes.update(given)
    instance.has_capabilities |= registering.has_capabilities(given)
    if "versionInfo" in params:
        if instance.agent_update_status in _UPDATING:
            instance.agent_update_status = "UPDATED"
        instance.version_info = registering.version_info(params)
    instance.agent_connected = True
    instance.changed(call.now, "registered again")
    return instance


def _set_status(call: Call, cluster: Cluster, instance: ContainerInstance, status: str) -> None:
    if instance.status != status:
        instance.status = status
        if status == DRAINING:
            cluster.draining.add(instance.arn)
        else:
            cluster.draining.discard(instance.arn)
        instance.changed(call.now, status)
        call.realm.touch_instance(cluster, instance)


def _identifiers(call: Call, cluster: Cluster, params: Structure, most: int) -> list[str]:
    """:raises ClientException, InvalidParameterException: none, too many, or no ids."""
    references = params["containerInstances"]
    if not references:
        raise ClientException("Container Instances cannot be empty.")
    if len(references) > most:
        raise InvalidParameterException(
            f"At most {most} container instances can be named in one call."
        )
    return list(lookup.unique([lookup.instance_id(call, cluster, each) for each in references]))


def _missing(call: Call, cluster: Cluster, identifier: str) -> Structure:
    return lookup.missing(call.store.arn(f"container-instance/{cluster.name}/{identifier}"))
