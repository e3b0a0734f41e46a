"""What is refused of the volumes that RunTask and services configure at launch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.registration import task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.domain.task_definition import runs_windows
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

_SIZES = {
    "gp2": (1, 16384),
    "gp3": (1, 16384),
    "io1": (4, 16384),
    "io2": (4, 16384),
    "st1": (125, 16384),
    "sc1": (125, 16384),
    "standard": (1, 1024),
}
"""GiB of an EBS volume, by its type."""

_OPERATIONS = {"gp3": (3000, 16000), "io1": (100, 64000), "io2": (100, 256000)}
"""iops of the types that can have them; the last two must."""

_MAX_THROUGHPUT = 1000
"""MiB/s."""

_RESERVED_TAGS = ("AmazonECSCreated", "AmazonECSManaged")


def check_volumes(
    given: list[Structure],
    definition: TaskDefinition,
    *,
    on_fargate: bool,
    of_service: bool = False,
) -> None:
    """Each volume that is configured at launch is configured, and nothing else.

    :raises InvalidParameterException: it is not so.
    """
    wanted = [volume for volume in definition.body["volumes"] if volume.get("configuredAtLaunch")]
    names = {volume["name"] for volume in wanted}
    for configuration in given:
        if configuration["name"] not in names:
            raise InvalidParameterException(
                f"The volume name '{configuration['name']}' in your request does not have a "
                "matching volume in your Task Definition."
            )
        problems = _problems(
            configuration, definition, on_fargate=on_fargate, of_service=of_service
        )
        for problem in problems:
            raise InvalidParameterException(problem)
    for name in names - {configuration["name"] for configuration in given}:
        raise InvalidParameterException(
            f"The volume '{name}' is configured at launch, so volumeConfigurations must have it."
        )
    if len(given) > len(names):
        raise InvalidParameterException("A volume can have only one volume configuration.")


def _problems(
    configuration: Structure, definition: TaskDefinition, *, on_fargate: bool, of_service: bool
) -> Iterator[str]:
    volume = configuration.get("managedEBSVolume")
    if volume is None:
        yield f"The configuration of volume '{configuration['name']}' has no managedEBSVolume."
        return
    yield from task.role_problems(volume["roleArn"])
    kind = volume.get("volumeType", "gp3")
    if not {"sizeInGiB", "snapshotId"} & volume.keys():
        yield "An EBS volume needs either sizeInGiB or snapshotId."
    if kind not in _SIZES:
        yield f"volumeType should be one of [{','.join(_SIZES)}]"
    if kind == "standard" and on_fargate:
        yield "The volumeType standard is not supported on Fargate."
    lowest, highest = _SIZES[kind]
    if not lowest <= volume.get("sizeInGiB", lowest) <= highest:
        yield f"The sizeInGiB of a {kind} volume must be between {lowest} and {highest}."
    yield from _speed_problems(volume, kind)
    is_windows = runs_windows(definition.body)
    if "filesystemType" in volume and (volume["filesystemType"] == "ntfs") != is_windows:
        system = "Windows" if is_windows else "Linux"
        yield f"The filesystemType {volume['filesystemType']} is not supported on {system}."
    for specification in volume.get("tagSpecifications", ()):
        for tag in specification.get("tags", ()):
            if tag.get("key") in _RESERVED_TAGS:
                yield f"The tag {tag['key']} of an EBS volume is reserved."
        if specification.get("propagateTags") == "SERVICE" and not of_service:
            yield "Tags cannot be propagated from a service by RunTask."


def _speed_problems(volume: Structure, kind: str) -> Iterator[str]:
    lowest, highest = _OPERATIONS.get(kind, (0, 0))
    if "iops" not in volume and kind in ("io1", "io2"):
        yield f"The iops of a {kind} volume must be given."
    if "iops" in volume and not highest:
        yield f"A {kind} volume can have no iops."
    if "iops" in volume and not lowest <= volume["iops"] <= highest:
        yield f"The iops of a {kind} volume must be between {lowest} and {highest}."
    if "throughput" in volume and kind != "gp3":
        yield f"A {kind} volume can have no throughput."
    if not 0 < volume.get("throughput", 1) <= _MAX_THROUGHPUT:
        yield f"The throughput of a volume must be between 1 and {_MAX_THROUGHPUT}."
    if "volumeInitializationRate" in volume and "snapshotId" not in volume:
        yield "A volumeInitializationRate can be given only with a snapshotId."
