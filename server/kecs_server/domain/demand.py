"""What a task takes of its container instance until it has stopped (ecs-facts 12.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.ports import fixed_host_ports
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]

_COUNT = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """CPU units, MiB, fixed host ports (number, protocol), and GPUs."""

    cpu: int = 0
    memory: int = 0
    ports: frozenset[tuple[int, str]] = frozenset()
    gpus: int = 0


def demand_of(definition: TaskDefinition, overrides: Structure) -> Demand:
    """The task's own sizes if it has any, else those of its containers, of which a reservation
    counts rather than a limit.
    """
    body = {**definition.body, **overrides} if overrides else definition.body
    given = {each.get("name"): each for each in overrides.get("containerOverrides", ())}
    containers = definition.containers
    if given:
        containers = [{**each, **given.get(each["name"], {})} for each in containers]
    return Demand(
        cpu=(
            parse_cpu(body["cpu"]) or 0
            if "cpu" in body
            else sum(container.get("cpu", 0) for container in containers)
        ),
        memory=(
            parse_memory(body["memory"]) or 0
            if "memory" in body
            else sum(
                container.get("memoryReservation") or container.get("memory") or 0
                for container in containers
            )
        ),
        ports=fixed_host_ports(definition.containers, definition.network_mode),
        gpus=sum(map(gpus_of, containers)),
    )


def gpus_of(container: Structure) -> int:
    """How many GPUs a container is to have for itself; a share of one (`shared`) takes none."""
    return sum(
        int(requirement["value"])
        for requirement in container.get("resourceRequirements", ())
        if requirement.get("type") == "GPU" and _COUNT.fullmatch(requirement.get("value", ""))
    )
