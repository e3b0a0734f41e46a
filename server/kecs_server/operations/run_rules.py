"""What RunTask refuses of a request by itself: counts, names, volumes (ecs-facts 5.1, 5.2)."""

from __future__ import annotations

import re
from typing import Any

from kecs_server.domain.registration import task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_COUNT = 10
MAX_TOKEN = 64
MAX_STARTED_BY = 128

_TOKEN = re.compile(r"[!-~]*\Z")
_STARTED_BY = re.compile(r"[A-Za-z0-9_/-]*\Z")
_VOLUME_SIZES = {
    "gp2": (1, 16384),
    "gp3": (1, 16384),
    "io1": (4, 16384),
    "io2": (4, 16384),
    "st1": (125, 16384),
    "sc1": (125, 16384),
    "standard": (1, 1024),
}
"""GiB of an EBS volume, by its type."""


def check_token(token: str) -> None:
    if len(token) > MAX_TOKEN:
        raise InvalidParameterException(f"idempotency token longer than {MAX_TOKEN}.")
    if not _TOKEN.match(token):
        raise InvalidParameterException("idempotency token contains invalid characters.")


def check_request(params: Structure) -> None:
    """:raises InvalidParameterException: the count, or a name that tasks get, is not valid."""
    if not 1 <= params.get("count", 1) <= MAX_COUNT:
        raise InvalidParameterException(f"Count must be between 1 and {MAX_COUNT}.")
    started_by = params.get("startedBy", "")
    if len(started_by) > MAX_STARTED_BY:
        raise InvalidParameterException(f"startedBy longer than {MAX_STARTED_BY}.")
    if not _STARTED_BY.match(started_by):
        raise InvalidParameterException("startedBy contains invalid characters.")
    if params.get("group", "").startswith("service:"):
        raise InvalidParameterException("The group of a task must not begin with 'service:'.")
    if params.get("propagateTags") == "SERVICE":
        raise InvalidParameterException("Tags cannot be propagated from a service by RunTask.")


def check_volumes(params: Structure, definition: TaskDefinition) -> None:
    """Each volume that is configured at launch is configured, and nothing else.

    :raises InvalidParameterException: it is not so.
    """
    wanted = [volume for volume in definition.body["volumes"] if volume.get("configuredAtLaunch")]
    names = {volume["name"] for volume in wanted}
    given = params.get("volumeConfigurations", [])
    for configuration in given:
        if configuration["name"] not in names:
            raise InvalidParameterException(
                f"The volume name '{configuration['name']}' in your request does not have a "
                "matching volume in your Task Definition."
            )
        _check_volume(configuration)
    for name in names - {configuration["name"] for configuration in given}:
        raise InvalidParameterException(
            f"The volume '{name}' is configured at launch, so volumeConfigurations must have it."
        )
    if len(given) > len(names):
        raise InvalidParameterException("A volume can have only one volume configuration.")


def _check_volume(configuration: Structure) -> None:
    volume = configuration.get("managedEBSVolume")
    if volume is None:
        raise InvalidParameterException(
            f"The configuration of volume '{configuration['name']}' has no managedEBSVolume."
        )
    for problem in task.role_problems(volume["roleArn"]):
        raise InvalidParameterException(problem)
    if not {"sizeInGiB", "snapshotId"} & volume.keys():
        raise InvalidParameterException("An EBS volume needs either sizeInGiB or snapshotId.")
    kind = volume.get("volumeType", "gp3")
    if kind not in _VOLUME_SIZES:
        allowed = ",".join(_VOLUME_SIZES)
        raise InvalidParameterException(f"volumeType should be one of [{allowed}]")
    lowest, highest = _VOLUME_SIZES[kind]
    if not lowest <= volume.get("sizeInGiB", lowest) <= highest:
        raise InvalidParameterException(
            f"The sizeInGiB of a {kind} volume must be between {lowest} and {highest}."
        )
