"""What CreateService and UpdateService refuse (ecs-facts 7.1)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.service import DAEMON
from kecs_server.domain.service import REPLICA
from kecs_server.domain.target import is_target_group_arn
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import daemon_service_rules
from kecs_server.operations.discovery import check_connect
from kecs_server.operations.discovery import check_registries

Structure = dict[str, Any]

MAX_TASKS = 5000
"""Tasks per service (the quota of "Amazon ECS service quotas"; the refusal's words are ours)."""

MAX_TARGET_GROUPS = 5
MAX_GRACE = 2_147_483_647
"""Seconds (the model's documentation)."""

_STRATEGIES = (REPLICA, DAEMON)
_MAX_TOKEN = 36


def check_token(token: str | None) -> None:
    if token and len(token) > _MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {_MAX_TOKEN}.")


def checked_desired_count(params: Structure) -> int:
    if params.get("schedulingStrategy") == DAEMON:
        daemon_service_rules.check_count(params)
        return 0
    if "desiredCount" not in params:
        raise InvalidParameterException("DesiredCount is missing")
    if params["desiredCount"] < 0:
        raise InvalidParameterException("DesiredCount can not be lesser than 0")
    return _within_quota(params["desiredCount"])


def checked_new_count(count: int) -> int:
    if count < 0:
        raise InvalidParameterException("Task count can not be lesser than 0")
    return _within_quota(count)


def _within_quota(count: int) -> int:
    if count > MAX_TASKS:
        raise InvalidParameterException(
            f"A service can have at most {MAX_TASKS} tasks; the desired count is {count}."
        )
    return count


def check_sides(configuration: Structure, settings: Structure) -> None:
    """:raises InvalidParameterException: two revisions are to have traffic, and there is no target
    group for the other.
    """
    if configuration["strategy"] == "ROLLING":
        return
    for balancer in settings.get("loadBalancers", ()):
        if "alternateTargetGroupArn" not in balancer.get("advancedConfiguration", {}):
            raise InvalidParameterException(
                "advancedConfiguration with an alternateTargetGroupArn must be specified for each "
                f"load balancer with the deployment strategy {configuration['strategy']}."
            )


def check_links(params: Structure, settings: Structure, definition: TaskDefinition) -> None:
    """What the service says of load balancers, registries and Service Connect.

    :param settings: what the service is to have of them, `params` and what there was.
    :raises InvalidParameterException: it is not valid, or the definition has no such port.
    """
    balancers = settings.get("loadBalancers", [])
    grace = params.get("healthCheckGracePeriodSeconds")
    if grace is not None and not balancers:
        raise InvalidParameterException(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    check_grace(grace)
    if len(balancers) > MAX_TARGET_GROUPS:
        raise InvalidParameterException(
            f"A service can have at most {MAX_TARGET_GROUPS} load balancers."
        )
    for balancer in balancers:
        _check_balancer(balancer, definition)
    registries = settings.get("serviceRegistries", [])
    check_registries(registries, definition)
    for registry in registries:
        if "containerName" in registry:
            _check_port(registry["containerName"], registry.get("containerPort"), definition)
    if "role" in params and (not balancers or definition.network_mode == "awsvpc"):
        raise InvalidParameterException(
            "A role is only for services with load balancers whose network mode is not awsvpc."
        )
    check_connect(settings.get("serviceConnectConfiguration", {}), definition)


def check_grace(grace: int | None) -> None:
    """:raises InvalidParameterException: not seconds that the model allows."""
    if grace is not None and not 0 <= grace <= MAX_GRACE:
        raise InvalidParameterException(
            f"healthCheckGracePeriodSeconds must be between 0 and {MAX_GRACE}."
        )


def _check_balancer(balancer: Structure, definition: TaskDefinition) -> None:
    """A target group or a Classic Load Balancer, and a port of a container (ecs-facts 7.1)."""
    if ("targetGroupArn" in balancer) == ("loadBalancerName" in balancer):
        raise InvalidParameterException(
            "A load balancer must have either a targetGroupArn or a loadBalancerName."
        )
    _check_port(balancer.get("containerName"), balancer.get("containerPort"), definition)
    advanced = balancer.get("advancedConfiguration", {})
    for group in (balancer.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")):
        if group is not None and not is_target_group_arn(group):
            raise InvalidParameterException(f"The targetGroupArn {group} is not valid.")


def _check_port(name: str | None, port: int | None, definition: TaskDefinition) -> None:
    """:raises InvalidParameterException: no such container, or it does not have the port."""
    container = next((each for each in definition.containers if each["name"] == name), None)
    if container is None:
        raise InvalidParameterException(
            f"The container {name} does not exist in the task definition."
        )
    if port is not None and not any(
        _is_within(port, mapping) for mapping in container["portMappings"]
    ):
        raise InvalidParameterException(
            f"The container {name} did not have a container port {port} defined."
        )


def _is_within(port: int, mapping: Structure) -> bool:
    if "containerPortRange" in mapping:
        first, _, last = mapping["containerPortRange"].partition("-")
        return int(first) <= port <= int(last)
    return bool(mapping["containerPort"] == port)


def checked_strategy_name(name: str | None) -> str | None:
    if name is not None and name not in _STRATEGIES:
        raise InvalidParameterException("Scheduling strategy should be one of [REPLICA,DAEMON]")
    return name
