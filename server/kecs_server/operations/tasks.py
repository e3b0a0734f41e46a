"""RunTask, StopTask, DescribeTasks, ListTasks (ecs-facts 5)."""

from __future__ import annotations

import json
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.strategy import providers_for
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.task import want_stopped
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ConflictException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import NotImplementedException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations import views
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.state.store import TokenUse

Structure = dict[str, Any]

registry = Registry()

MAX_COUNT = 10
TOKEN_LIFE = 24 * 3600.0
"""Seconds (ecs-facts 5.2)."""

_MAX_OVERRIDES = 8192
_MAX_STARTED_BY = 128


@registry.operation("RunTask")
def run_task(call: Call, params: Structure) -> Structure:
    # ECS resolves the definition before the cluster (ecs-facts 5.1).
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    known = _known_token(call, cluster, params)
    if known is not None:
        return known
    count = params.get("count", 1)
    if not 1 <= count <= MAX_COUNT:
        raise InvalidParameterException(f"Count must be between 1 and {MAX_COUNT}.")
    if len(params.get("startedBy", "")) > _MAX_STARTED_BY:
        raise InvalidParameterException(f"startedBy is longer than {_MAX_STARTED_BY}.")
    if params.get("group", "").startswith("service:"):
        raise InvalidParameterException("The group of a task must not begin with 'service:'.")
    capacity = placement.chosen_capacity(params, cluster)
    placement.check_compatible(definition, capacity)
    placement.check_network(params, definition, capacity)
    platform = placement.resolved_platform(placement.checked_platform(params, capacity))
    _check_overrides(params.get("overrides", {}), definition)
    tags = _launch_tags(params, definition, cluster)
    providers: list[str | None] = [None] * count
    if capacity.strategy:
        providers = list(providers_for(capacity.strategy, {}, count))
    tasks = [
        new_task(
            Launch(
                account=call.account,
                region=call.region,
                cluster=cluster,
                definition=definition,
                launch_type=capacity.launch_type or "FARGATE",
                group=params.get("group", f"family:{definition.family}"),
                now=call.now,
                capacity_provider=provider,
                platform_version=platform,
                subnets=placement.subnets_of(params.get("networkConfiguration")),
                started_by=params.get("startedBy"),
                enable_execute_command=params.get("enableExecuteCommand", False),
                overrides=params.get("overrides", {}),
                tags=list(tags),
            )
        )
        for provider in providers
    ]
    answer: Structure = {"tasks": [views.task_view(task) for task in tasks], "failures": []}
    for task in tasks:
        call.realm.touch_task(cluster, task)
    if params.get("clientToken"):
        call.store.run_tokens[params["clientToken"]] = TokenUse(
            request=params,
            cluster=cluster.name,
            task_ids=[task.id for task in tasks],
            failures=[],
            used_at=call.now,
        )
    return answer


@registry.operation("StopTask")
def stop_task(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    task = lookup.find_task(call, cluster, lookup.task_id(call, cluster, params["task"]))
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    if not task.is_stopped:
        reason = params.get("reason", "Task stopped by user")
        want_stopped(task, "UserInitiated", reason, call.now)
        call.realm.touch_task(cluster, task)
    return {"task": views.task_view(task, with_tags=False)}


@registry.operation("DescribeTasks")
def describe_tasks(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    references = params["tasks"]
    if not references:
        raise InvalidParameterException("Tasks cannot be empty.")
    if len(references) > 100:
        raise InvalidParameterException("At most 100 tasks can be described in one call.")
    with_tags = "TAGS" in views.checked_include(params, ("TAGS",))
    tasks, failures = [], []
    for identifier in lookup.unique([lookup.task_id(call, cluster, item) for item in references]):
        task = lookup.find_task(call, cluster, identifier)
        if task is None:
            failures.append(lookup.missing(call.store.arn(f"task/{cluster.name}/{identifier}")))
        else:
            tasks.append(views.task_view(task, with_tags=with_tags))
    return {"tasks": tasks, "failures": failures}


@registry.operation("ListTasks")
def list_tasks(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    if "startedBy" in params and {"family", "serviceName", "containerInstance"} & params.keys():
        raise InvalidParameterException("startedBy cannot be combined with another filter.")
    if "daemonName" in params:
        raise NotImplementedException("pytest-kecs has no daemons yet, so no tasks of one.")
    service = None
    if "serviceName" in params:
        service = lookup.find_service(call, cluster, params["serviceName"])
        if service is None:
            raise ServiceNotFoundException("Service not found.")
    wanted = {
        "desired_status": params.get("desiredStatus", "RUNNING"),
        "started_by": params.get("startedBy"),
        "launch_type": params.get("launchType"),
        "service_name": service.name if service else None,
    }
    family = params.get("family")
    instance = params.get("containerInstance", "").rpartition("/")[2]
    arns = [
        task.arn
        for task in cluster.tasks.values()
        if task.is_visible(call.now)
        and family in (None, task.task_definition.family)
        and instance in ("", (task.container_instance_arn or "").rpartition("/")[2])
        and all(value in (None, getattr(task, name)) for name, value in wanted.items())
    ]
    shown, token = page(arns, params, key=lambda arn: (arn,))
    return {"taskArns": shown, **token}


def _known_token(call: Call, cluster: Cluster, params: Structure) -> Structure | None:
    """The answer to a repeated request; None if this one is new (ecs-facts 5.2)."""
    token = params.get("clientToken", "")
    if len(token) > 64:
        raise InvalidParameterException("idempotency token longer than 64.")
    use = call.store.run_tokens.get(token)
    if use is None or call.now - use.used_at > TOKEN_LIFE:
        return None
    used = call.store.clusters.get(use.cluster, cluster)
    tasks = [task for id in use.task_ids if (task := lookup.find_task(call, used, id))]
    if not tasks:
        return None
    if use.request != params:
        raise ConflictException(
            "The RunTask request could not be processed due to conflicts. The provided "
            "clientToken is already in use with a different request.",
            resourceIds=[task.arn for task in tasks],
        )
    return {"tasks": [views.task_view(task) for task in tasks], "failures": use.failures}


def _check_overrides(overrides: Structure, definition: TaskDefinition) -> None:
    names = {container["name"] for container in definition.containers}
    for override in overrides.get("containerOverrides", ()):
        if override.get("name") not in names:
            raise InvalidParameterException(
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition."
            )
        if not all(pair.get("name") for pair in override.get("environment", ())):
            raise InvalidParameterException(
                f"A variable in the override for container {override['name']} has no name."
            )
    if len(json.dumps(overrides, separators=(",", ":"))) > _MAX_OVERRIDES:
        raise InvalidParameterException(
            f"Container Overrides length must be at most {_MAX_OVERRIDES}"
        )


def _launch_tags(params: Structure, definition: TaskDefinition, cluster: Cluster) -> Tags:
    """Explicit tags over propagated ones, and ECS's own if asked for (ecs-facts 5.6)."""
    source = params.get("propagateTags", "NONE")
    if source == "SERVICE":
        raise InvalidParameterException("Tags cannot be propagated from a service by RunTask.")
    inherited = definition.tags if source == "TASK_DEFINITION" else []
    tags = merged_tags(inherited, checked_tags(params.get("tags")))
    if params.get("enableECSManagedTags"):
        tags = merged_tags(tags, [{"key": "aws:ecs:clusterName", "value": cluster.name}])
    return tags
