"""What is refused of a new or changed capacity provider (ecs-facts 11.2, the model's text).

The words are AWS's for managed termination protection, and ours elsewhere.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.capacity_provider import DEFAULT_GROUP
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_INSTANCE_TYPES = 400

_RESERVED_PREFIXES = ("aws", "ecs", "fargate")
_RANGES = {
    "targetCapacity": (1, 100),
    "minimumScalingStepSize": (1, 10_000),
    "maximumScalingStepSize": (1, 10_000),
    "instanceWarmupPeriod": (0, 10_000),
}
_LONGEST_IDLE = 3600


def check_name(name: str) -> None:
    """:raises InvalidParameterException: the name is not one that a user may give."""
    if len(name) > 255:
        raise InvalidParameterException("The capacity provider name is longer than 255 characters.")
    if not NAME.match(name):
        raise InvalidParameterException("The capacity provider name contains invalid characters.")
    if name.lower().startswith(_RESERVED_PREFIXES):
        raise InvalidParameterException(
            "The specified capacity provider name is invalid. Names must not begin with aws, ecs "
            "or fargate."
        )


def checked_group(given: Structure, current: Structure | None = None) -> Structure:
    """The settings of an Auto Scaling group's provider, filled in from the current or default ones.

    :raises ClientException: they do not go together, or a number is out of its range.
    """
    old = copy.deepcopy(DEFAULT_GROUP if current is None else current)
    settings = {**old, **given}
    if "managedScaling" in given:
        is_new = current is None
        scaling = {**old["managedScaling"], **({"status": "ENABLED"} if is_new else {})}
        settings["managedScaling"] = {**scaling, **given["managedScaling"]}
    if current is None:
        _check_group_name(given["autoScalingGroupArn"])
    scaling = settings["managedScaling"]
    for member, (low, high) in _RANGES.items():
        if not low <= scaling[member] <= high:
            raise ClientException(
                f"The managed scaling {member} is invalid. It must be between {low} and {high}."
            )
    if scaling["minimumScalingStepSize"] > scaling["maximumScalingStepSize"]:
        raise ClientException(
            "The managed scaling minimumScalingStepSize must not be more than the "
            "maximumScalingStepSize."
        )
    is_protected = settings["managedTerminationProtection"] == "ENABLED"
    if is_protected and scaling["status"] != "ENABLED":
        raise ClientException(
            "The managed termination protection setting for the capacity provider is invalid. To "
            "enable managed termination protection for a capacity provider, managed scaling must "
            "be enabled."
        )
    return settings


def _check_group_name(group: str) -> None:
    """A name, or the ARN of a group."""
    arn = parse_arn(group)
    if not group or (group.startswith("arn:") and (arn is None or arn.service != "autoscaling")):
        raise ClientException("The specified Auto Scaling group ARN is not valid.")


def check_instances(settings: Structure) -> None:
    """:raises InvalidParameterException: a provider of managed instances cannot have them."""
    scale_in = settings.get("infrastructureOptimization", {}).get("scaleInAfter", -1)
    if not -1 <= scale_in <= _LONGEST_IDLE:
        raise InvalidParameterException(f"scaleInAfter must be between -1 and {_LONGEST_IDLE}.")
    for problem in _template_problems(settings["instanceLaunchTemplate"]):
        raise InvalidParameterException(problem)


def _template_problems(template: Structure) -> Iterator[str]:
    profile = parse_arn(template.get("ec2InstanceProfileArn", ""))
    if profile is None or profile.service != "iam" or profile.kind != "instance-profile":
        yield "ec2InstanceProfileArn is not the ARN of an instance profile."
    network = template.get("networkConfiguration", {})
    if not network.get("subnets"):
        yield "subnets can not be empty."
    for member, prefix in (("subnets", "subnet-"), ("securityGroups", "sg-")):
        for identifier in network.get(member, ()):
            if not identifier.startswith(prefix):
                yield f"{member} has '{identifier}', which does not exist."
    if template.get("storageConfiguration", {}).get("storageSizeGiB", 1) < 1:
        yield "storageSizeGiB must be at least 1."
    local = template.get("localStorageConfiguration", {}).get("useLocalStorage")
    if local and template.get("nitroEnclavesEnabled"):
        yield "nitroEnclavesEnabled can not be used together with useLocalStorage."
    is_reserved = template.get("capacityOptionType", "ON_DEMAND") == "RESERVED"
    if is_reserved != ("capacityReservations" in template):
        yield "capacityReservations belong to the capacityOptionType RESERVED, and it needs them."
    yield from _requirement_problems(template.get("instanceRequirements", {}))


def _requirement_problems(requirements: Structure) -> Iterator[str]:
    for member, value in requirements.items():
        if isinstance(value, dict) and value.get("min", 0) > value.get("max", float("inf")):
            yield f"{member} has a min above its max."
    lists = ("allowedInstanceTypes", "excludedInstanceTypes")
    if all(requirements.get(member) for member in lists):
        yield "allowedInstanceTypes and excludedInstanceTypes can not be used together."
    for member in lists:
        if len(requirements.get(member, ())) > MAX_INSTANCE_TYPES:
            yield f"{member} can have at most {MAX_INSTANCE_TYPES} items."
