"""What RegisterTaskDefinition refuses, in the order and words of ECS (ecs-facts 4.2 to 4.4).

A request that breaks several rules reports the first only, as ECS does. Texts that ecs-facts
marks `[?]` are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.sizes import is_fargate_size
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_CONTAINERS = 10
MAX_LENGTH = 65536
"""Bytes of a whole registration."""

_FARGATE_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_HEALTH_RANGES = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}


def check_registration(definition: Structure) -> None:
    """Refuse what ECS refuses.

    :raises ClientException, InvalidParameterException: the first broken rule.
    """
    length = len(json.dumps(definition, separators=(",", ":"), ensure_ascii=False).encode())
    if length > MAX_LENGTH:
        raise ClientException(
            f"Actual length: '{length}'. Max allowed length is '{MAX_LENGTH}' bytes."
        )
    if not NAME.match(definition["family"]):
        raise ClientException("Family contains invalid characters.")
    _check_task_size(definition)
    wants_fargate = "FARGATE" in definition.get("requiresCompatibilities", ())
    if wants_fargate and definition.get("networkMode") != "awsvpc":
        raise ClientException("Fargate only supports network mode ‘awsvpc’.")  # noqa: RUF001
    _check_containers(definition)
    if wants_fargate:
        for problem in _fargate_problems(definition):
            raise ClientException(problem)
    _check_task_members(definition)


def fits_fargate(definition: Structure) -> bool:
    """Whether the definition breaks no rule of Fargate."""
    return definition.get("networkMode") == "awsvpc" and not any(_fargate_problems(definition))


def _check_task_size(definition: Structure) -> None:
    if "cpu" in definition and parse_cpu(definition["cpu"]) is None:
        raise InvalidParameterException("Invalid 'cpu' setting for task.")
    if "memory" in definition and parse_memory(definition["memory"]) is None:
        raise ClientException("Invalid 'memory' setting for task.")


def _check_containers(definition: Structure) -> None:
    containers = definition["containerDefinitions"]
    if not containers:
        raise ClientException("Container list cannot be empty.")
    if len(containers) > MAX_CONTAINERS:
        raise ClientException(
            f"A task definition can have at most {MAX_CONTAINERS} containers; "
            f"this one has {len(containers)}."
        )
    if not any(container.get("essential", True) for container in containers):
        raise ClientException("Task definition doesn't have any essential container.")
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                raise ClientException(f"Container.{member} should not be null or empty.")
    if len({container["name"] for container in containers}) < len(containers):
        raise ClientException("Container names must be unique within a Task Definition.")
    for container in containers:
        _check_container(container, definition)
    _check_order(containers)


def _check_container(container: Structure, definition: Structure) -> None:
    name = container["name"]
    if not NAME.match(name):
        raise ClientException(f"Invalid container name '{name}'.")
    if "\0" in container.get("workingDirectory", ""):
        raise ClientException(f"The workingDirectory of container '{name}' has a NUL in it.")
    _check_container_memory(container, definition)
    _check_ports(container, definition.get("networkMode", "bridge"))
    _check_timeouts(container)
    _check_health_check(container)
    options = container.get("logConfiguration", {})
    if options.get("logDriver") == "awslogs":
        given = options.get("options", {})
        if not given.get("awslogs-region") or not given.get("awslogs-group"):
            raise ClientException(
                "Log driver awslogs requires options: awslogs-region, awslogs-group"
            )
    if container.get("secrets") and not definition.get("executionRoleArn"):
        raise ClientException(
            "When you are specifying container secrets, you must also specify a value for "
            "'executionRoleArn'"
        )
    _check_variables(container)
    _check_mounts(container, definition)


def _check_container_memory(container: Structure, definition: Structure) -> None:
    setting = f"Invalid setting for container '{container['name']}'."
    memory, reservation = container.get("memory"), container.get("memoryReservation")
    if memory is None and reservation is None and "memory" not in definition:
        raise ClientException(
            f"{setting} At least one of 'memory' or 'memoryReservation' must be specified."
        )
    for member, value in (("memory", memory), ("memoryReservation", reservation)):
        if value is not None and value < 4:
            raise ClientException(f"{setting} '{member}' must be at least 4")
    if memory is not None and reservation is not None and reservation > memory:
        raise ClientException(f"{setting} 'memoryReservation' must be less than 'memory'.")
    if container.get("cpu", 0) < 0:
        raise ClientException(f"{setting} 'cpu' must not be negative")


def _check_ports(container: Structure, network_mode: str) -> None:
    if network_mode == "awsvpc" and container.get("links"):
        raise ClientException("Links are not supported when networkMode=awsvpc.")
    for mapping in container.get("portMappings", ()):
        port, host = mapping.get("containerPort"), mapping.get("hostPort")
        for value in (port, host):
            if value is not None and not 0 <= value <= 65535:
                raise ClientException(f"Port {value} is not between 0 and 65535.")
        if network_mode in ("awsvpc", "host") and host not in (None, port):
            raise ClientException(
                f"When networkMode={network_mode}, the host ports and container ports in port "
                "mappings must match."
            )


def _check_timeouts(container: Structure) -> None:
    for member, word in (("startTimeout", "start"), ("stopTimeout", "stop")):
        value = container.get(member)
        if value is not None and value < 2:
            raise ClientException(
                f"Granular {word} timeout on container '{container['name']}' must be at least "
                "2 seconds."
            )


def _check_health_check(container: Structure) -> None:
    check = container.get("healthCheck")
    if check is None:
        return
    if not check.get("command"):
        raise ClientException(
            f"The health check of container '{container['name']}' needs a command."
        )
    for member, (lowest, highest) in _HEALTH_RANGES.items():
        value = check.get(member)
        if value is not None and not lowest <= value <= highest:
            raise ClientException(
                f"healthCheck.{member} of container '{container['name']}' must be between "
                f"{lowest} and {highest}."
            )


def _check_variables(container: Structure) -> None:
    names = {pair.get("name") for pair in container.get("environment", ())}
    if not all(names):
        raise ClientException(
            f"A variable in the environment of container '{container['name']}' has no name."
        )
    for secret in container.get("secrets", ()):
        if secret["valueFrom"].startswith("arn:") and parse_arn(secret["valueFrom"]) is None:
            raise ClientException("Invalid arn syntax.")
        if secret["name"] in names:
            raise ClientException(
                "The secret name must be unique and not shared with any new or existing "
                f"environment variables set on the container, such as '{secret['name']}'."
            )


def _check_mounts(container: Structure, definition: Structure) -> None:
    volumes = {volume.get("name") for volume in definition.get("volumes", ())}
    for mount in container.get("mountPoints", ()):
        if mount.get("sourceVolume") not in volumes:
            raise ClientException(f"Unknown volume '{mount.get('sourceVolume')}'.")


def _check_order(containers: list[Structure]) -> None:
    by_name = {container["name"]: container for container in containers}
    for container in containers:
        for dependency in container.get("dependsOn", ()):
            target = by_name.get(dependency["containerName"])
            if target is None:
                raise ClientException(
                    f"Cannot depend on container + '{dependency['containerName']}' because it "
                    "does not exist"
                )
            _check_condition(dependency["condition"], target)
    if _has_cycle(by_name):
        raise ClientException("Container dependsOn contains a cycle")


def _check_condition(condition: str, target: Structure) -> None:
    if condition in ("SUCCESS", "COMPLETE") and target.get("essential", True):
        raise ClientException(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
            "container"
        )
    if condition == "HEALTHY" and "healthCheck" not in target:
        raise ClientException(
            "A dependency container with HEALTHY condition must have health check configured"
        )


def _has_cycle(containers: dict[str, Structure]) -> bool:
    remaining = {
        name: {dependency["containerName"] for dependency in container.get("dependsOn", ())}
        for name, container in containers.items()
    }
    while remaining:
        free = {name for name, waits_for in remaining.items() if not waits_for & remaining.keys()}
        if not free:
            return True
        remaining = {name: waits for name, waits in remaining.items() if name not in free}
    return False


def _check_task_members(definition: Structure) -> None:
    for member in ("taskRoleArn", "executionRoleArn"):
        arn = definition.get(member)
        if arn and re.match(r"arn:", arn) and parse_arn(arn) is None:
            raise ClientException("Role is not valid")
    size = definition.get("ephemeralStorage", {}).get("sizeInGiB")
    if size is not None and size < 21:
        raise ClientException("EphemeralStorage size should be at least 21")
    if size is not None and size > 200:
        raise ClientException("EphemeralStorage size should be at most 200")


def _fargate_problems(definition: Structure) -> Iterator[str]:
    for member in ("cpu", "memory"):
        if member not in definition:
            yield f"Fargate requires that '{member}' be defined at the task level."
    for container in definition["containerDefinitions"]:
        yield from _fargate_container_problems(container, definition)
    if definition.get("pidMode") == "host":
        yield (
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported "
            "value for pidMode is 'task'."
        )
    if any(volume.get("host", {}).get("sourcePath") for volume in definition.get("volumes", ())):
        yield "Fargate does not support host volumes with a sourcePath."
    if definition.get("placementConstraints"):
        yield "Fargate does not support placementConstraints."
    cpu = parse_cpu(definition.get("cpu", ""))
    memory = parse_memory(definition.get("memory", ""))
    if cpu and memory and not is_fargate_size(cpu, memory):
        yield (
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See "
            "the Amazon ECS documentation for the valid values."
        )


def _fargate_container_problems(container: Structure, definition: Structure) -> Iterator[str]:
    driver = container.get("logConfiguration", {}).get("logDriver")
    has_role = bool(definition.get("executionRoleArn"))
    if driver and driver not in _FARGATE_LOG_DRIVERS:
        allowed = ",".join(_FARGATE_LOG_DRIVERS)
        yield f"{driver} is not a valid log driver. Must be one of [{allowed}]"
    if driver == "awslogs" and not has_role:
        yield (
            "Fargate requires task definition to have execution role ARN to support log driver "
            "awslogs."
        )
    if ".dkr.ecr." in container["image"] and not has_role:
        yield "Fargate requires task definition to have execution role ARN to support ECR images."
    if container.get("stopTimeout", 0) > 120:
        yield (
            "Tasks using the Fargate launch type must have a container stop timeout of less than "
            "120 seconds."
        )
    for member in ("privileged", "links", "dockerSecurityOptions", "extraHosts", "hostname"):
        if container.get(member):
            yield f"Fargate does not support the container setting '{member}'."
