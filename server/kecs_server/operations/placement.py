"""Where and on what a new task or service runs: launch type, strategy, network, platform.

The checks that RunTask and CreateService share (ecs-facts 5.1, 7.1, 11.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.capacity_provider import SPOT
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.launch import FARGATE_PLATFORM
from kecs_server.domain.placement import expression
from kecs_server.domain.query import QueryError
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import runs_windows
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import PlatformTaskDefinitionIncompatibilityException
from kecs_server.errors import PlatformUnknownException
from kecs_server.operations.capacity import check_usable
from kecs_server.operations.capacity import checked_strategy

Structure = dict[str, Any]

MAX_SUBNETS = 16
MAX_SECURITY_GROUPS = 5
MAX_CONSTRAINTS = 10
"""Of a task, those of its definition included."""

MAX_STRATEGIES = 5
MAX_EXPRESSION = 2000
"""Characters of a placement constraint's expression."""

_PLATFORM = re.compile(r"LATEST|1\.[0-4]\.0")
_BINPACK_FIELDS = ("cpu", "memory")
_BEFORE_SPOT = ("1.0.0", "1.1.0", "1.2.0")
_LARGEST_BEFORE_1_4 = 4096
"""CPU units of a task on a platform version before 1.4.0."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Either a launch type or a strategy, and the launch type that the tasks have."""

    launch_type: str | None
    strategy: list[Structure]
    runs_on: str

    @property
    def is_fargate(self) -> bool:
        return self.runs_on == "FARGATE"

    @classmethod
    def of(cls, cluster: Cluster, launch_type: str | None, strategy: list[Structure]) -> Capacity:
        provider = strategy[0]["capacityProvider"] if strategy else None
        return cls(launch_type, strategy, launch_type or cluster.launch_type_of(provider))


def chosen_capacity(params: Structure, cluster: Cluster, now: float) -> Capacity:
    """Launch type, else strategy, else the cluster's default strategy, else EC2.

    :raises InvalidParameterException: both were given, or the strategy is not valid.
    """
    launch_type = params.get("launchType")
    strategy = params.get("capacityProviderStrategy")
    if launch_type and strategy:
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    if launch_type == "MANAGED_INSTANCES":
        raise InvalidParameterException(
            "The launch type MANAGED_INSTANCES is not for requests. Specify a capacity provider "
            "strategy instead."
        )
    if launch_type:
        return Capacity.of(cluster, launch_type, [])
    associated = cluster.capacity_providers
    chosen = checked_strategy(strategy, associated) if strategy else cluster.default_strategy
    if not chosen:
        return Capacity.of(cluster, "EC2", [])
    check_usable(chosen, associated, now)
    return Capacity.of(cluster, None, chosen)


def check_compatible(definition: TaskDefinition, capacity: Capacity) -> None:
    """:raises InvalidParameterException: the definition lacks the launch type."""
    if capacity.runs_on not in definition.compatibilities:
        raise InvalidParameterException(
            f"Task definition does not support launch_type {capacity.runs_on}."
        )


def check_network(params: Structure, definition: TaskDefinition, capacity: Capacity) -> None:
    """:raises InvalidParameterException: the network configuration does not fit the definition."""
    network = params.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if definition.network_mode != "awsvpc":
        if network is not None:
            raise InvalidParameterException(
                "Network Configuration is not valid for the given networkMode of this task "
                "definition."
            )
        return
    if network is None:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not network["subnets"]:
        raise InvalidParameterException("subnets can not be empty.")
    for member, most in (("subnets", MAX_SUBNETS), ("securityGroups", MAX_SECURITY_GROUPS)):
        if len(network.get(member, ())) > most:
            raise InvalidParameterException(f"{member} can have at most {most} items.")
    for subnet in network["subnets"]:
        if not subnet.startswith("subnet-"):
            raise InvalidParameterException(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' "
                "does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )
    for group in network.get("securityGroups", ()):
        if not group.startswith("sg-"):
            raise InvalidParameterException(
                f"Error retrieving security group information for [{group}]: The security group "
                f"'{group}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )
    if network.get("assignPublicIp") == "ENABLED" and not capacity.is_fargate:
        raise InvalidParameterException("Assign public IP is not supported for this launch type.")


def check_placement(params: Structure, definition: TaskDefinition, capacity: Capacity) -> None:
    """:raises InvalidParameterException: a constraint or strategy is not valid (ecs-facts 11.4)."""
    constraints = params.get("placementConstraints", [])
    if (constraints or params.get("placementStrategy")) and capacity.is_fargate:
        raise InvalidParameterException(
            "Placement constraints and strategies are not supported with the FARGATE launch type."
        )
    check_rules(params, definition.body["placementConstraints"])


def check_rules(params: Structure, further: Sequence[Structure] = ()) -> None:
    """What placement constraints and strategies may say, whatever is placed.

    :param further: the constraints of the definition.
    :raises InvalidParameterException: one is not valid (ecs-facts 11.4).
    """
    constraints = params.get("placementConstraints", [])
    strategies = params.get("placementStrategy", [])
    if len(constraints) + len(further) > MAX_CONSTRAINTS:
        raise InvalidParameterException(f"Maximum number of constraints is {MAX_CONSTRAINTS}.")
    if len(strategies) > MAX_STRATEGIES:
        raise InvalidParameterException(f"Maximum number of strategies is {MAX_STRATEGIES}.")
    for constraint in constraints:
        _check_constraint(constraint)
    for constraint in (*further, *constraints):
        _check_expression(constraint.get("expression"))
    for strategy in strategies:
        _check_strategy(strategy)


def _check_constraint(constraint: Structure) -> None:
    kind, expression = constraint.get("type"), constraint.get("expression", "")
    if kind is None:
        raise InvalidParameterException("A placement constraint has no type.")
    if kind == "distinctInstance" and expression:
        raise InvalidParameterException(
            "A placement constraint of type distinctInstance can have no expression."
        )
    if kind == "memberOf" and not 1 <= len(expression) <= MAX_EXPRESSION:
        raise InvalidParameterException(
            "The expression of a placement constraint of type memberOf must have 1 to "
            f"{MAX_EXPRESSION} characters."
        )


def _check_expression(text: str | None) -> None:
    try:
        if text is not None:
            expression(text)
    except QueryError as error:
        raise InvalidParameterException(
            f"Invalid expression '{text}' of a placement constraint: {error}"
        ) from None


def _check_strategy(strategy: Structure) -> None:
    kind, field = strategy.get("type"), strategy.get("field", "")
    if kind is None:
        raise InvalidParameterException("A placement strategy has no type.")
    is_attribute = field.startswith("attribute:") and field != "attribute:"
    if (
        (kind == "random" and field)
        or (kind == "binpack" and field.lower() not in _BINPACK_FIELDS)
        or (kind == "spread" and field not in ("instanceId", "host") and not is_attribute)
    ):
        raise InvalidParameterException(f"The placement strategy {kind} has no field '{field}'.")


def subnets_of(network_configuration: Structure | None) -> list[str]:
    network = (network_configuration or {}).get("awsvpcConfiguration", {})
    return list(network.get("subnets", ()))


def checked_platform(params: Structure, capacity: Capacity) -> str | None:
    """The platform version as asked for (LATEST by default), None where there is none.

    :raises PlatformUnknownException, ClientException: no such version, or not for this type.
    """
    version = params.get("platformVersion")
    if not capacity.is_fargate:
        if version is not None:
            raise ClientException(
                "The platform version must be null when specifying an EC2 launch type."
            )
        return None
    if version is not None and not _PLATFORM.fullmatch(version):
        raise PlatformUnknownException
    return version or "LATEST"


def check_platform_fits(
    definition: TaskDefinition, version: str | None, strategy: Sequence[Structure] = ()
) -> None:
    """Whether an old platform version, and Fargate Spot where the strategy has it, can run the
    definition, as far as the model says.

    :raises PlatformTaskDefinitionIncompatibilityException: the version cannot.
    :raises InvalidParameterException: Fargate Spot cannot.
    """
    body = definition.body
    if any(item["capacityProvider"] == SPOT for item in strategy):
        _check_spot(body, version)
    if version in (None, "LATEST", FARGATE_PLATFORM) or runs_windows(body):
        return
    if (
        {"ephemeralStorage", "pidMode"} & body.keys()
        or int(body.get("cpu", 0)) > _LARGEST_BEFORE_1_4
        or any("efsVolumeConfiguration" in volume for volume in body["volumes"])
        or any(_adds_capabilities(container) for container in definition.containers)
        or (version != "1.3.0" and any(map(_needs_1_3, definition.containers)))
    ):
        raise PlatformTaskDefinitionIncompatibilityException


def _check_spot(body: Structure, version: str | None) -> None:
    """The model's rules of CapacityProviderStrategyItem; the text for ARM is AWS's, from a public
    report.
    """
    if runs_windows(body):
        raise InvalidParameterException(
            f"{SPOT} capacity provider is not supported when using Windows containers."
        )
    is_arm = body.get("runtimePlatform", {}).get("cpuArchitecture") == "ARM64"
    if is_arm and resolved_platform(version) != FARGATE_PLATFORM:
        raise InvalidParameterException(
            f"{SPOT} capacity provider is not supported when using ARM architecture."
        )
    if version in _BEFORE_SPOT:
        raise InvalidParameterException(
            f"{SPOT} capacity provider is not supported by the platform version {version}."
        )


def _adds_capabilities(container: Structure) -> bool:
    return bool(container.get("linuxParameters", {}).get("capabilities", {}).get("add"))


def _needs_1_3(container: Structure) -> bool:
    return bool({"dependsOn", "startTimeout", "stopTimeout", "secrets"} & container.keys())


def resolved_platform(version: str | None) -> str | None:
    """What a task reports for a version asked for."""
    return FARGATE_PLATFORM if version == "LATEST" else version
