"""What a service may say that ECS itself does not deploy (ecs-facts 8.8, 9; the model).

The texts on task definitions, network parameters and forced deployments are ECS's, as public
reports have them; the others are made after these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kecs_server.domain.task_set import CODE_DEPLOY
from kecs_server.domain.task_set import ECS
from kecs_server.domain.task_set import EXTERNAL
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

_PERCENTS = ("maximumPercent", "minimumHealthyPercent")

_OF_DEPLOYMENTS = (
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
)
"""What only services have that ECS deploys."""

_OF_TASK_SETS = (
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "role",
)
"""What the task sets of an EXTERNAL service say, or nobody."""

_WORDS = {
    "taskDefinition": "task definition",
    "networkConfiguration": "network parameters",
    "platformVersion": "platform version",
    "capacityProviderStrategy": "capacity provider strategy",
    "loadBalancers": "load balancers",
    "serviceRegistries": "service registries",
    "serviceConnectConfiguration": "Service Connect configuration",
    "volumeConfigurations": "volume configurations",
    "vpcLatticeConfigurations": "VPC Lattice configurations",
    "gatewayConnectors": "gateway connectors",
    "monitoring": "monitoring",
}
"""What UpdateService cannot change where task sets say it, in the order of its refusals."""

_INSTEAD = {
    CODE_DEPLOY: "a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new "
    "deployment.",
    EXTERNAL: "an EXTERNAL deployment controller. Create a new task set instead.",
}


def controller_of(params: Structure, default: str = ECS) -> str:
    return str(params.get("deploymentController", {}).get("type", default))


def check_external(params: Structure) -> None:
    """:raises InvalidParameterException: a new EXTERNAL service says what its task sets are to."""
    if params.get("taskDefinition") == "":
        raise InvalidParameterException("Family should not be null or empty.")
    for member in (*_OF_TASK_SETS, *_OF_DEPLOYMENTS):
        if params.get(member):
            raise InvalidParameterException(f"{member[0].upper()}{member[1:]} must be blank.")


def check_code_deploy(params: Structure) -> None:
    """What only a new CODE_DEPLOY service has to have.

    :raises InvalidParameterException: it does not.
    """
    _refuse_any(params, _OF_DEPLOYMENTS, CODE_DEPLOY)
    if not params.get("loadBalancers"):
        raise InvalidParameterException(
            "Load balancers must be specified with a CODE_DEPLOY deployment controller."
        )
    check_balancers(params)


def check_balancers(params: Structure) -> None:
    """What a task set can have of load balancers.

    :raises InvalidParameterException: more than one target group, or a classic one.
    """
    balancers = params.get("loadBalancers", [])
    if any("loadBalancerName" in balancer for balancer in balancers):
        raise InvalidParameterException(
            "A task set can only have an Application Load Balancer or a Network Load Balancer: "
            "specify a targetGroupArn."
        )
    if len(balancers) > 1:
        raise InvalidParameterException("A task set can have at most one target group.")


def check_common(params: Structure, controller: str) -> None:
    """:raises InvalidParameterException: what `params` say is not for services of task sets."""
    if params.get("schedulingStrategy") == "DAEMON":
        raise InvalidParameterException(
            f"The daemon scheduling strategy does not support the {controller} deployment "
            "controller. Change the deployment controller and try again"
        )
    if params.get("availabilityZoneRebalancing") == "ENABLED":
        raise InvalidParameterException(
            f"Availability Zone Rebalancing does not support the {controller} deployment "
            "controller."
        )
    given = params.get("deploymentConfiguration", {})
    for member, value in given.items():
        is_off = isinstance(value, dict) and value.get("enable") is False
        if member not in _PERCENTS and not is_off and value not in ("ROLLING", 0, []):
            raise InvalidParameterException(
                f"{member} is not supported with the {controller} deployment controller."
            )


def reduced(configuration: Structure, given: Structure) -> Structure:
    """A checked deployment configuration without the defaults of ECS's own deployments."""
    return {**{name: configuration[name] for name in _PERCENTS}, **given}


def check_update(params: Structure, controller: str) -> None:
    """:raises InvalidParameterException: UpdateService cannot change that."""
    if controller_of(params, controller) != controller:
        raise InvalidParameterException(
            f"Unable to update the deployment controller of a service with {_INSTEAD[controller]}"
        )
    if params.get("forceNewDeployment"):
        raise InvalidParameterException(
            f"Cannot force a new deployment on services with {_INSTEAD[controller]}"
        )
    for member, words in _WORDS.items():
        if member in params:
            raise InvalidParameterException(
                f"Unable to update {words} on services with {_INSTEAD[controller]}"
            )
    if controller == EXTERNAL and "deploymentConfiguration" in params:
        raise InvalidParameterException(
            f"Unable to update deployment configuration on services with {_INSTEAD[controller]}"
        )
    check_common(params, controller)


def refuse_change(params: Structure) -> None:
    """:raises InvalidParameterException: a service that ECS deploys is to have task sets."""
    controller = controller_of(params)
    if controller != ECS:
        raise InvalidParameterException(
            f"Unable to update the deployment controller of a service from ECS to {controller}."
        )


def _refuse_any(params: Structure, members: Iterable[str], controller: str) -> None:
    for member in members:
        if params.get(member):
            raise InvalidParameterException(
                f"{member} is not supported with the {controller} deployment controller."
            )
