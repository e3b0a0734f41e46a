"""Where and on what a new task or service runs: launch type, strategy, network, platform.

The checks that RunTask and CreateService share (ecs-facts 5.1, 7.1, 11.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.launch import FARGATE_PLATFORM
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import PlatformUnknownException
from kecs_server.operations.capacity import checked_strategy

Structure = dict[str, Any]

_PLATFORM = re.compile(r"LATEST|1\.[0-4]\.0")


@dataclass(frozen=True, slots=True)
class Capacity:
    """Either a launch type or a strategy."""

    launch_type: str | None
    strategy: list[Structure]


def chosen_capacity(params: Structure, cluster: Cluster) -> Capacity:
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
    if launch_type:
        return Capacity(launch_type, [])
    if strategy:
        associated = cluster.capacity_providers or ["FARGATE", "FARGATE_SPOT"]
        return Capacity(None, checked_strategy(strategy, associated))
    if cluster.default_strategy:
        return Capacity(None, cluster.default_strategy)
    return Capacity("EC2", [])


def check_compatible(definition: TaskDefinition, capacity: Capacity) -> None:
    """:raises InvalidParameterException: the definition lacks the launch type."""
    wanted = capacity.launch_type or "FARGATE"
    if wanted not in definition.compatibilities:
        raise InvalidParameterException(f"Task definition does not support launch_type {wanted}.")


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
    if network.get("assignPublicIp") == "ENABLED" and capacity.launch_type == "EC2":
        raise InvalidParameterException("Assign public IP is not supported for this launch type.")


def subnets_of(network_configuration: Structure | None) -> list[str]:
    network = (network_configuration or {}).get("awsvpcConfiguration", {})
    return list(network.get("subnets", ()))


def checked_platform(params: Structure, capacity: Capacity) -> str | None:
    """The platform version as asked for (LATEST by default), None where there is none.

    :raises PlatformUnknownException, ClientException: no such version, or not for this type.
    """
    version = params.get("platformVersion")
    if capacity.launch_type not in (None, "FARGATE"):
        if version is not None:
            raise ClientException(
                "The platform version must be null when specifying an EC2 launch type."
            )
        return None
    if version is not None and not _PLATFORM.fullmatch(version):
        raise PlatformUnknownException("The specified platform does not exist.")
    return version or "LATEST"


def resolved_platform(version: str | None) -> str | None:
    """What a task reports for a version asked for."""
    return FARGATE_PLATFORM if version == "LATEST" else version
