"""Rules of Fargate (ecs-facts 4.4): asked for by requiresCompatibilities, else it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.sizes import is_fargate_size
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.task_definition import runs_windows

Structure = dict[str, Any]

_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_CAPABILITIES_TO_ADD = ("SYS_PTRACE",)
_LONGEST_TIMEOUT = 120
"""Seconds of startTimeout and stopTimeout."""

_UNSUPPORTED_PARAMETERS = ("devices", "sharedMemorySize", "maxSwap", "swappiness")
_LEAST_WINDOWS_CPU = 1024


def network_problems(definition: Structure) -> Iterator[str]:
    if definition.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode ‘awsvpc’."  # noqa: RUF001


def problems(definition: Structure) -> Iterator[str]:
    for member in ("cpu", "memory"):
        if member not in definition:
            yield f"Fargate requires that '{member}' be defined at the task level."
    for container in definition["containerDefinitions"]:
        yield from _log_problems(container, definition)
        yield from _container_problems(container, definition)
    if definition.get("pidMode") == "host":
        yield (
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported "
            "value for pidMode is 'task'."
        )
    if "ipcMode" in definition:
        yield _unsupported("ipcMode")
    for volume in definition.get("volumes", ()):
        if volume.get("host", {}).get("sourcePath"):
            yield _unsupported("sourcePath")
        for kind in ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration"):
            if kind in volume:
                yield _unsupported(kind)
    if definition.get("placementConstraints"):
        yield _unsupported("constraints")
    yield from size_problems(definition)


def size_problems(definition: Structure) -> Iterator[str]:
    """Of task-level cpu and memory, in a definition or with the overrides of a task."""
    cpu = parse_cpu(definition.get("cpu", ""))
    memory = parse_memory(definition.get("memory", ""))
    too_small = runs_windows(definition) and (cpu or 0) < _LEAST_WINDOWS_CPU
    if cpu and memory and (too_small or not is_fargate_size(cpu, memory)):
        yield (
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See "
            "the Amazon ECS documentation for the valid values."
        )


def resource_problems(container: Structure) -> Iterator[str]:
    for requirement in container.get("resourceRequirements", ()):
        yield (
            "Tasks using the Fargate launch type do not support "
            f"{requirement['type']} resource requirements."
        )


def _unsupported(member: str) -> str:
    return f"Fargate compatible task definitions do not support {member}."


def _needs_role(purpose: str) -> str:
    return f"Fargate requires task definition to have execution role ARN to support {purpose}."


def _log_problems(container: Structure, definition: Structure) -> Iterator[str]:
    configuration = container.get("logConfiguration", {})
    driver = configuration.get("logDriver")
    if driver and driver not in _LOG_DRIVERS:
        yield f"{driver} is not a valid log driver. Must be one of [{','.join(_LOG_DRIVERS)}]"
    if driver == "awslogs":
        if not definition.get("executionRoleArn"):
            yield _needs_role("log driver awslogs")
        if not configuration.get("options", {}).get("awslogs-stream-prefix"):
            yield (
                "Fargate requires log configuration options to include awslogs-stream-prefix to "
                "support log driver awslogs."
            )
    options = container.get("firelensConfiguration", {}).get("options", {})
    if options.get("config-file-type") == "s3":
        yield "Fargate launch type does not support FirelensConfiguration config file from 's3'"


def _container_problems(container: Structure, definition: Structure) -> Iterator[str]:
    if not definition.get("executionRoleArn"):
        if ".dkr.ecr." in container["image"]:
            yield _needs_role("ECR images")
        if "repositoryCredentials" in container:
            yield _needs_role("private registry images")
    for member, word in (("startTimeout", "start"), ("stopTimeout", "stop")):
        if container.get(member, 0) > _LONGEST_TIMEOUT:
            yield (
                f"Tasks using the Fargate launch type must have a container {word} timeout of less "
                f"than {_LONGEST_TIMEOUT} seconds."
            )
    if container.get("privileged"):
        yield "Fargate requires that the 'privileged' setting be 'false'."
    if container.get("dockerSecurityOptions"):
        yield _unsupported("dockerSecurityOptions")
    parameters = container.get("linuxParameters", {})
    for member in _UNSUPPORTED_PARAMETERS:
        if parameters.get(member) not in (None, []):
            yield _unsupported(member)
    for capability in parameters.get("capabilities", {}).get("add", ()):
        if capability not in _CAPABILITIES_TO_ADD:
            yield f"{capability} is not allowed on Fargate."
    yield from resource_problems(container)
