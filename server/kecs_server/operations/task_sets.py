"""Task sets (ecs-facts 9). What they start and stop is the scheduler's business.

Who calls this for a CODE_DEPLOY service plays AWS CodeDeploy, which uses the same operations.
"""

from __future__ import annotations

import re
from typing import Any

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.tags import checked_tags
from kecs_server.domain.task_set import CODE_DEPLOY
from kecs_server.domain.task_set import MAX_TASK_SETS
from kecs_server.domain.task_set import TaskSet
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ServiceNotActiveException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.errors import TaskSetNotFoundException
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations import service_rules
from kecs_server.operations import views
from kecs_server.operations.controllers import check_balancers
from kecs_server.operations.registering import have_hosts
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.revisions import first_target
from kecs_server.operations.service_views import task_set_view

Structure = dict[str, Any]

registry = Registry()

_ID = re.compile(r"ecs-svc/[0-9]{1,19}\Z")


@registry.operation("CreateTaskSet")
def create_task_set(call: Call, params: Structure) -> Structure:
    cluster, service = _find_active(call, params)
    service_rules.check_token(params.get("clientToken"))
    existing = _made_before(service, params)
    if existing is not None:
        return _answer(cluster, service, existing)
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    capacity = placement.chosen_capacity(params, cluster, call.now)
    placement.check_network(params, definition, capacity)
    placement.check_compatible(definition, capacity)
    placement.check_placement(service.settings, definition, capacity)
    target = first_target(params, definition, capacity)
    placement.check_platform_fits(definition, target.platform_version, target.strategy)
    check_balancers(params)
    service_rules.check_links(params, target.settings, definition)
    scale = _checked_scale(params.get("scale", {}))
    if len(service.task_sets) >= MAX_TASK_SETS:
        raise InvalidParameterException(
            f"{MAX_TASK_SETS} deployments exist on the service. Unable to create new TaskSet since "
            "this exceeds the maximum limit."
        )
    deployment = target.deployment(call.now)
    task_set = TaskSet(
        arn=f"{service.task_set_prefix}/{deployment.id}",
        deployment=deployment,
        scale=scale,
        external_id=params.get("externalId"),
        started_by=CODE_DEPLOY if service.controller == CODE_DEPLOY else None,
        tags=checked_tags(params.get("tags")),
        request=params,
        updated_at=call.now,
        stability_at=call.now,
    )
    task_set.follow(service.desired_count, call.now)
    service.task_sets.append(task_set)
    call.store.discovery.note(service)
    have_hosts(call, cluster, capacity.runs_on)
    call.realm.touch_service(cluster, service)
    return _answer(cluster, service, task_set)


@registry.operation("UpdateTaskSet")
def update_task_set(call: Call, params: Structure) -> Structure:
    cluster, service = _find_active(call, params)
    task_set = _find_usable(call, cluster, service, params["taskSet"])
    if "value" not in params["scale"]:
        raise InvalidParameterException("Scale value can not be blank.")
    task_set.scale = _checked_scale(params["scale"])
    task_set.updated_at = call.now
    task_set.follow(service.desired_count, call.now)
    call.realm.touch_service(cluster, service)
    return _answer(cluster, service, task_set)


@registry.operation("UpdateServicePrimaryTaskSet")
def update_service_primary_task_set(call: Call, params: Structure) -> Structure:
    cluster, service = _find_active(call, params)
    task_set = _find_usable(call, cluster, service, params["primaryTaskSet"])
    service.make_primary(task_set, call.now)
    call.realm.touch_service(cluster, service)
    return _answer(cluster, service, task_set)


@registry.operation("DeleteTaskSet")
def delete_task_set(call: Call, params: Structure) -> Structure:
    cluster, service = _find_active(call, params)
    task_set = _known(find_task_set(call, cluster, service, params["taskSet"]))
    if task_set.is_primary:
        raise InvalidParameterException("Primary TaskSet cannot be deleted")
    if task_set.desired_count > 0 and not params.get("force", False):
        raise InvalidParameterException(
            "The TaskSet cannot be deleted while it is scaled above 0. Scale it down or use force."
        )
    task_set.drain(call.now)
    call.realm.touch_service(cluster, service)
    return _answer(cluster, service, task_set)


@registry.operation("DescribeTaskSets")
def describe_task_sets(call: Call, params: Structure) -> Structure:
    cluster, service = _find_managed(call, params)
    if service.status == INACTIVE:
        raise ServiceNotActiveException
    references = params.get("taskSets", [])
    if not references:
        raise InvalidParameterException("TaskSets cannot be empty.")
    with_tags = "TAGS" in views.checked_include(params, ("TAGS",))
    tasks = cluster.service_tasks(service.name)
    task_sets, failures = [], []
    for identifier in lookup.unique([_identifier(call, cluster, item) for item in references]):
        task_set = service.task_set(identifier)
        if task_set is None:
            failures.append(lookup.missing(f"{service.task_set_prefix}/{identifier}"))
        else:
            task_sets.append(task_set_view(service, task_set, tasks, with_tags=with_tags))
    return {"taskSets": task_sets, "failures": failures}


def find_task_set(call: Call, cluster: Cluster, service: Service, reference: str) -> TaskSet | None:
    """:param reference: the id or the ARN of a task set.

    :raises InvalidParameterException: it is neither.
    """
    return service.task_set(_identifier(call, cluster, reference))


def _find_managed(call: Call, params: Structure) -> tuple[Cluster, Service]:
    """:raises InvalidParameterException: ECS itself deploys the service."""
    for member in ("cluster", "service"):
        if not params[member]:
            raise InvalidParameterException(f"{member.capitalize()} can not be blank.")
    cluster = lookup.find_active_cluster(call, params["cluster"])
    service = lookup.find_service(call, cluster, params["service"])
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    if not service.has_task_sets:
        raise InvalidParameterException(
            "Amazon ECS only supports task set management on services configured to use external "
            "deployment controllers."
        )
    return cluster, service


def _find_active(call: Call, params: Structure) -> tuple[Cluster, Service]:
    cluster, service = _find_managed(call, params)
    if service.status != ACTIVE:
        raise ServiceNotActiveException
    return cluster, service


def _find_usable(call: Call, cluster: Cluster, service: Service, reference: str) -> TaskSet:
    """:raises InvalidParameterException: it drains: nothing of it can be changed any more."""
    task_set = _known(find_task_set(call, cluster, service, reference))
    if task_set.is_draining:
        raise InvalidParameterException("The specified task set is DRAINING.")
    return task_set


def _known(task_set: TaskSet | None) -> TaskSet:
    if task_set is None:
        raise TaskSetNotFoundException
    return task_set


def _identifier(call: Call, cluster: Cluster, reference: str) -> str:
    arn = parse_arn(reference)
    if arn is not None and arn.kind == "task-set":
        parts = lookup.own_parts(call, reference, "task-set")
        if parts[0] != cluster.name:
            raise InvalidParameterException(
                f"Identifier is for {parts[0]}. Your cluster is {cluster.name}"
            )
        reference = "/".join(parts[2:])
    if not _ID.match(reference):
        raise InvalidParameterException("Task Set Identifier is invalid")
    return reference


def _made_before(service: Service, params: Structure) -> TaskSet | None:
    """The task set that a call with this token has made.

    :raises InvalidParameterException: a call with other arguments.
    """
    token = params.get("clientToken")
    for task_set in service.task_sets:
        if token and task_set.request.get("clientToken") == token:
            if task_set.request != params:
                raise InvalidParameterException(
                    "Arguments on this idempotent request are inconsistent with arguments used in "
                    "previous request(s)."
                )
            return task_set
    return None


def _checked_scale(scale: Structure) -> float:
    """Percent; 0 if nothing is said, as the example of the AWS CLI shows."""
    value = float(scale.get("value", 0.0))
    if scale.get("unit", "PERCENT") == "PERCENT" and 0 <= value <= 100:
        return value
    raise InvalidParameterException("Scale value must be between 0 and 100.")


def _answer(cluster: Cluster, service: Service, task_set: TaskSet) -> Structure:
    return {"taskSet": task_set_view(service, task_set, cluster.service_tasks(service.name))}
