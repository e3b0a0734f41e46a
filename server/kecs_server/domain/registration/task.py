"""Rules of the task as a whole: its names, sizes, roles, storage, placement and devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.task_definition import runs_windows

Structure = dict[str, Any]

CPU_RANGE = (128, 196608)
"""CPU units of a task outside Fargate (the model's words on `cpu`)."""

MAX_CONSTRAINTS = 10
MAX_EXPRESSION = 2000
"""Characters of a placement expression."""

STORAGE_RANGE = (21, 200)
"""GiB of ephemeral storage."""

_ROLE = re.compile(r"(arn:aws[a-z-]*:iam::\d{12}:role/)?[\w+=,.@/-]{1,512}\Z", re.ASCII)
_PROXY_PORTS = {"ProxyIngressPort": "Ingress", "ProxyEgressPort": "Egress"}


def family_problems(definition: Structure) -> Iterator[str]:
    if not NAME.match(definition["family"]):
        yield "Family contains invalid characters."


def has_valid_cpu(definition: Structure) -> bool:
    if "cpu" not in definition:
        return True
    lowest, highest = CPU_RANGE
    return lowest <= (parse_cpu(definition["cpu"]) or 0) <= highest


def memory_problems(definition: Structure) -> Iterator[str]:
    if "memory" in definition and parse_memory(definition["memory"]) is None:
        yield "Invalid 'memory' setting for task."


def problems(definition: Structure) -> Iterator[str]:
    yield from sum_problems(definition)
    for member in ("taskRoleArn", "executionRoleArn"):
        yield from role_problems(definition.get(member))
    yield from storage_problems(definition.get("ephemeralStorage"))
    yield from _constraint_problems(definition.get("placementConstraints", ()))
    yield from _proxy_problems(definition)
    yield from _accelerator_problems(definition)
    yield from _isolation_problems(definition)


def role_problems(role: str | None) -> Iterator[str]:
    """A role is named by a short name or an ARN; an empty text is none."""
    if role and not _ROLE.match(role):
        yield "Role is not valid"


def storage_problems(storage: Structure | None) -> Iterator[str]:
    lowest, highest = STORAGE_RANGE
    if storage is not None and storage["sizeInGiB"] < lowest:
        yield f"EphemeralStorage size should be at least {lowest}"
    if storage is not None and storage["sizeInGiB"] > highest:
        yield f"EphemeralStorage size should be at most {highest}"


def sum_problems(definition: Structure) -> Iterator[str]:
    """Windows ignores the sizes of a task."""
    containers = definition["containerDefinitions"]
    if runs_windows(definition):
        return
    cpu = parse_cpu(definition.get("cpu", ""))
    if cpu is not None and sum(container.get("cpu", 0) for container in containers) > cpu:
        yield (
            "The sum of all container 'cpu' values cannot be greater than the value of the task "
            "'cpu'."
        )
    memory = parse_memory(definition.get("memory", ""))
    if memory is None:
        return
    for container in containers:
        if container.get("memory", 0) > memory:
            yield (
                f"The 'memory' setting for container '{container['name']}' is greater than for "
                "the task."
            )
    reserved = (each.get("memoryReservation", each.get("memory", 0)) for each in containers)
    if sum(reserved) > memory:
        yield (
            "The sum of all container 'memoryReservation' or 'memory' values cannot be greater "
            "than the value of the task 'memory'."
        )


def _constraint_problems(constraints: list[Structure]) -> Iterator[str]:
    if len(constraints) > MAX_CONSTRAINTS:
        yield f"Maximum number of constraints is {MAX_CONSTRAINTS}."
    for constraint in constraints:
        if "type" not in constraint:
            yield "constraint.type should not be null or empty."
        if not constraint.get("expression"):
            yield "constraint.expression should not be null or empty."
        elif len(constraint["expression"]) > MAX_EXPRESSION:
            yield f"constraint.expression should be {MAX_EXPRESSION} characters or less."


def _proxy_problems(definition: Structure) -> Iterator[str]:
    proxy = definition.get("proxyConfiguration")
    if proxy is None:
        return
    if definition.get("networkMode") != "awsvpc":
        yield "APPMESH proxy configuration is only supported in networkMode=awsvpc."
    names = {container["name"] for container in definition["containerDefinitions"]}
    if proxy["containerName"] not in names:
        yield f"Proxy container [{proxy['containerName']}] does not exist"
    given = {pair.get("name"): pair.get("value", "") for pair in proxy.get("properties", ())}
    if not given.get("IgnoredUID") and not given.get("IgnoredGID"):
        yield "The proxy configuration needs IgnoredUID or IgnoredGID."
    if not given.get("AppPorts"):
        yield "App ports not found"
    for name, word in _PROXY_PORTS.items():
        if not given.get(name):
            yield f"{word} port not found"
        elif not given[name].isascii() or not given[name].isdigit():
            yield f"The proxy configuration's {name} is not a port: '{given[name]}'."


def _accelerator_problems(definition: Structure) -> Iterator[str]:
    names = [each["deviceName"] for each in definition.get("inferenceAccelerators", ())]
    if len(set(names)) < len(names):
        yield "The deviceName of inference accelerators must be unique within a Task Definition."
    wanted = {
        requirement.get("value")
        for container in definition["containerDefinitions"]
        for requirement in container.get("resourceRequirements", ())
        if requirement["type"] == "InferenceAccelerator"
    }
    for name in names:
        if name not in wanted:
            yield f"The inference accelerator '{name}' is not referenced by any container."


def _isolation_problems(definition: Structure) -> Iterator[str]:
    isolation = definition.get("trustedExecutionConfiguration")
    if isolation is None:
        return
    if isolation["isolationMode"] == "CONFIDENTIAL_SANDBOX" and not isolation.get(
        "attestationPolicy"
    ):
        yield "An attestationPolicy is required when isolationMode is CONFIDENTIAL_SANDBOX."
    if "MANAGED_INSTANCES" not in definition.get("requiresCompatibilities", ()):
        yield (
            "Trusted execution is supported only by task definitions that require the "
            "compatibility MANAGED_INSTANCES."
        )
