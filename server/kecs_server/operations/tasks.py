"""RunTask, StartTask, StopTask, DescribeTasks, ListTasks (ecs-facts 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.launch import Launch
from kecs_server.domain.strategy import providers_for
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.task import Task
from kecs_server.domain.task import want_stopped
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ConflictException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations import placing
from kecs_server.operations import run_rules as rules
from kecs_server.operations import views
from kecs_server.operations.overrides import checked_overrides
from kecs_server.operations.paging import Key
from kecs_server.operations.paging import page_of
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.volume_rules import check_volumes
from kecs_server.state.store import TokenUse

Structure = dict[str, Any]

registry = Registry()

TOKEN_LIFE = 24 * 3600.0
"""Seconds (ecs-facts 5.2)."""


@registry.operation("RunTask")
def run_task(call: Call, params: Structure) -> Structure:
    # ECS resolves the definition before the cluster (ecs-facts 5.1).
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    known = _known_token(call, cluster, params)
    if known is not None:
        return known
    rules.check_request(params)
    capacity = placement.chosen_capacity(params, cluster, call.now)
    result = placing.place(call, _launches(call, cluster, definition, capacity, params), params)
    answer = _started(call, cluster, result)
    if params.get("clientToken"):
        _forget_tokens(call, params["clientToken"])
        call.store.run_tokens[params["clientToken"]] = TokenUse(
            request=params,
            cluster=cluster.name,
            task_ids=[task.id for task in result.tasks],
            failures=result.failures,
            used_at=call.now,
        )
    return answer


@registry.operation("StartTask")
def start_task(call: Call, params: Structure) -> Structure:
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    rules.check_request(params)
    rules.check_start(params)
    references = lookup.unique(
        [lookup.instance_id(call, cluster, each) for each in params["containerInstances"]]
    )
    on_instances = placement.Capacity.of(cluster, "EC2", [])
    [launch] = _launches(call, cluster, definition, on_instances, params)
    return _started(call, cluster, placing.start_on(call, launch, list(references)))


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
    if "daemonName" in params and params["daemonName"] not in cluster.daemons:
        raise InvalidParameterException("The specified daemon was not found.")
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
        "daemon_name": params.get("daemonName"),
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    family = params.get("family")
    instance = ""
    if "containerInstance" in params:
        instance = lookup.instance_id(call, cluster, params["containerInstance"])
    now = call.now

    def matching_after(last: Key | None) -> Iterator[Task]:
        return (
            task
            for task in cluster.tasks.after(last[0] if last else None)
            if all(getattr(task, name) == value for name, value in given.items())
            and task.is_visible(now)
            and family in (None, task.task_definition.family)
            and instance in ("", (task.container_instance_arn or "").rpartition("/")[2])
        )

    shown, token = page_of(matching_after, params, key=lambda task: (task.id,))
    return {"taskArns": [task.arn for task in shown], **token}


def _started(call: Call, cluster: Cluster, result: placing.Result) -> Structure:
    """The answer that has the tasks as they begin; then they are on their way."""
    tasks = [views.task_view(task) for task in result.tasks]
    for task in result.tasks:
        call.realm.touch_task(cluster, task)
    return {"tasks": tasks, "failures": result.failures}


def _known_token(call: Call, cluster: Cluster, params: Structure) -> Structure | None:
    """The answer to a repeated request; None if this one is new (ecs-facts 5.2)."""
    token = params.get("clientToken", "")
    rules.check_token(token)
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


def _forget_tokens(call: Call, token: str) -> None:
    """This one, and those whose life is over: the oldest are first."""
    tokens = call.store.run_tokens
    tokens.pop(token, None)
    while tokens and call.now - tokens[oldest := next(iter(tokens))].used_at > TOKEN_LIFE:
        del tokens[oldest]


def _launches(
    call: Call,
    cluster: Cluster,
    definition: TaskDefinition,
    capacity: placement.Capacity,
    params: Structure,
) -> list[Launch]:
    """One for each task that the request is for, which breaks no rule.

    :raises EcsError: it breaks one.
    """
    placement.check_compatible(definition, capacity)
    placement.check_network(params, definition, capacity)
    placement.check_placement(params, definition, capacity)
    platform = placement.resolved_platform(placement.checked_platform(params, capacity))
    placement.check_platform_fits(definition, platform, capacity.strategy)
    overrides = checked_overrides(
        params.get("overrides", {}), definition, on_fargate=capacity.is_fargate
    )
    volumes = params.get("volumeConfigurations", [])
    check_volumes(volumes, definition, on_fargate=capacity.is_fargate)
    launch = Launch(
        account=call.account,
        region=call.region,
        cluster=cluster,
        definition=definition,
        launch_type=capacity.runs_on,
        group=params.get("group", f"family:{definition.family}"),
        now=call.now,
        platform_version=platform,
        subnets=placement.subnets_of(params.get("networkConfiguration")),
        started_by=params.get("startedBy"),
        enable_execute_command=params.get("enableExecuteCommand", False),
        overrides=overrides,
        volume_configurations=volumes,
        tags=_launch_tags(params, definition, cluster),
    )
    count = params.get("count", 1)
    if not capacity.strategy:
        return [launch] * count
    providers = providers_for(capacity.strategy, {}, count)
    return [replace(launch, capacity_provider=provider) for provider in providers]


def _launch_tags(params: Structure, definition: TaskDefinition, cluster: Cluster) -> Tags:
    """Explicit tags over propagated ones, and ECS's own if asked for (ecs-facts 5.6)."""
    inherited = definition.tags if params.get("propagateTags") == "TASK_DEFINITION" else []
    tags = merged_tags(inherited, checked_tags(params.get("tags")))
    if params.get("enableECSManagedTags"):
        tags = merged_tags(tags, [{"key": "aws:ecs:clusterName", "value": cluster.name}])
    return tags
