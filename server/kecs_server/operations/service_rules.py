"""What CreateService and UpdateService refuse, and their defaults (ecs-facts 7.1, 7.2)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import NotImplementedException

Structure = dict[str, Any]

REDEPLOYING = (
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
"""Echoed members whose change starts a deployment (ecs-facts 7.4)."""

MAX_TASKS = 5000
"""Tasks per service (the quota of "Amazon ECS service quotas"; the refusal's words are ours)."""

_STRATEGIES = ("REPLICA", "DAEMON")
_MAX_TOKEN = 36

_CONFIGURATION: Structure = {
    "deploymentCircuitBreaker": {
        "enable": False,
        "rollback": False,
        "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
    },
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}


def refuse_what_is_to_come(params: Structure) -> None:
    """:raises NotImplementedException: a service of a kind that this server cannot run yet."""
    controller = params.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise NotImplementedException(
            f"pytest-kecs has no deployment controller {controller} yet; ECS works."
        )
    strategy = params.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if strategy != "ROLLING":
        raise NotImplementedException(
            f"pytest-kecs has no deployment strategy {strategy} yet; ROLLING works."
        )


def refuse_daemon(strategy: str | None) -> None:
    """:raises NotImplementedException: for the one strategy that this server cannot run yet."""
    if strategy == "DAEMON":
        raise NotImplementedException("pytest-kecs has no DAEMON services yet; REPLICA works.")


def check_token(token: str | None) -> None:
    if token and len(token) > _MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {_MAX_TOKEN}.")


def checked_desired_count(params: Structure) -> int:
    if params.get("schedulingStrategy") == "DAEMON":
        if "desiredCount" in params:
            raise InvalidParameterException(
                "The daemon scheduling strategy does not support a desired count for services. "
                "Remove the desired count value and try again"
            )
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


def checked_configuration(params: Structure, old: Structure | None = None) -> Structure:
    """The deployment configuration with what `params` do not say taken from `old`."""
    result = {**(old or _CONFIGURATION), **params.get("deploymentConfiguration", {})}
    breaker = _CONFIGURATION["deploymentCircuitBreaker"]
    result["deploymentCircuitBreaker"] = {**breaker, **result["deploymentCircuitBreaker"]}
    if result["maximumPercent"] < 100:
        raise InvalidParameterException("maximumPercent must be at least 100")
    if result["minimumHealthyPercent"] > 100:
        raise InvalidParameterException("minimumHealthyPercent must be at most 100")
    if result["minimumHealthyPercent"] < 0:
        raise InvalidParameterException("minimumHealthyPercent must be at least 0")
    rebalancing = params.get("availabilityZoneRebalancing")
    if rebalancing == "ENABLED" and result["maximumPercent"] <= 100:
        raise InvalidParameterException(
            "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment "
            "configuration."
        )
    return result


def check_links(params: Structure, definition: TaskDefinition) -> None:
    """:raises InvalidParameterException: a setting for a load balancer or a port that is not."""
    if "healthCheckGracePeriodSeconds" in params and not params.get("loadBalancers"):
        raise InvalidParameterException(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    ports = {
        mapping.get("name")
        for container in definition.containers
        for mapping in container["portMappings"]
    }
    for service in params.get("serviceConnectConfiguration", {}).get("services", ()):
        if service["portName"] not in ports:
            raise InvalidParameterException(
                f"portName({service['portName']}) does not refer to any named PortMapping in the "
                "container definitions"
            )


def checked_strategy_name(name: str | None) -> str | None:
    if name is not None and name not in _STRATEGIES:
        raise InvalidParameterException("Scheduling strategy should be one of [REPLICA,DAEMON]")
    return name
