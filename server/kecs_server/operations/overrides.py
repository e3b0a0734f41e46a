"""What RunTask refuses of overrides, and how it keeps them (ecs-facts 5.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.registration import containers
from kecs_server.domain.registration import environment
from kecs_server.domain.registration import fargate
from kecs_server.domain.registration import linux
from kecs_server.domain.registration import task
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

MAX_LENGTH = 8192
"""Characters of all overrides, as JSON."""

_SIZES = {"cpu": parse_cpu, "memory": parse_memory}


def checked_overrides(
    overrides: Structure, definition: TaskDefinition, *, on_fargate: bool
) -> Structure:
    """The overrides with the sizes of the task as numbers.

    :raises InvalidParameterException: the first broken rule.
    """
    problem = next(_problems(overrides, definition, on_fargate=on_fargate), None)
    if problem is not None:
        raise InvalidParameterException(problem)
    sizes = {name: str(_SIZES[name](overrides[name])) for name in _SIZES if name in overrides}
    return {**overrides, **sizes}


def _problems(
    overrides: Structure, definition: TaskDefinition, *, on_fargate: bool
) -> Iterator[str]:
    given = overrides.get("containerOverrides", [])
    by_name = {container["name"]: container for container in definition.containers}
    for override in given:
        if override.get("name") not in by_name:
            yield (
                f"Override for container named {override.get('name', 'null')} is not a container "
                "in the TaskDefinition."
            )
    if len({override["name"] for override in given}) < len(given):
        yield "A container can have only one override."
    length = len(json.dumps(overrides, separators=(",", ":"), ensure_ascii=False))
    if length > MAX_LENGTH:
        yield f"Container Overrides length must be at most {MAX_LENGTH}"
    for override in given:
        yield from _container_problems(override, by_name[override["name"]], definition)
        if on_fargate:
            yield from fargate.resource_problems(override)
    yield from _task_problems(overrides, definition, on_fargate=on_fargate)


def _container_problems(
    override: Structure, container: Structure, definition: TaskDefinition
) -> Iterator[str]:
    yield from containers.size_problems({**container, **override})
    yield from containers.nul_problems(override)
    yield from environment.variable_problems(override)
    yield from environment.shared_name_problems(
        {**override, "secrets": container.get("secrets", ())}
    )
    yield from environment.file_problems(override)
    yield from linux.resource_problems(override, definition.body)


def _task_problems(
    overrides: Structure, definition: TaskDefinition, *, on_fargate: bool
) -> Iterator[str]:
    for member, parse in _SIZES.items():
        if member in overrides and parse(overrides[member]) is None:
            yield f"Invalid '{member}' setting for task."
    for member in ("taskRoleArn", "executionRoleArn"):
        yield from task.role_problems(overrides.get(member))
    if "ephemeralStorage" in overrides and not on_fargate:
        yield "Tasks using the EC2 launch type do not support EphemeralStorage."
    yield from task.storage_problems(overrides.get("ephemeralStorage"))
    devices = {each["deviceName"] for each in definition.body.get("inferenceAccelerators", ())}
    for accelerator in overrides.get("inferenceAcceleratorOverrides", ()):
        if accelerator.get("deviceName") not in devices:
            yield (
                f"There is no inference accelerator '{accelerator.get('deviceName', 'null')}' in "
                "the TaskDefinition."
            )
    result = _overridden(overrides, definition)
    yield from _memory_problems(result)
    yield from task.sum_problems(result)
    if on_fargate:
        yield from fargate.size_problems(result)


def _overridden(overrides: Structure, definition: TaskDefinition) -> Structure:
    """The definition with the sizes that the task would have."""
    given = {override["name"]: override for override in overrides.get("containerOverrides", ())}
    return {
        **definition.body,
        **{name: overrides[name] for name in _SIZES if name in overrides},
        "containerDefinitions": [
            {**container, **given.get(container["name"], {})} for container in definition.containers
        ],
    }


def _memory_problems(result: Structure) -> Iterator[str]:
    limit = parse_memory(result.get("memory", ""))
    for container in result["containerDefinitions"]:
        if limit is not None and container.get("memory", 0) > limit:
            yield f"'memory' setting for container '{container['name']}' is greater than for task."
