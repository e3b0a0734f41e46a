"""A task's record to what an engine needs: overrides, image stand-ins and variables resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.images import Images
from kecs_server.domain.images import StandIn
from kecs_server.domain.images import expanded
from kecs_server.domain.images import find_stand_in
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import TaskSpec

Structure = dict[str, Any]

DEFAULT_STOP_TIMEOUT = 30.0
"""Seconds from SIGTERM to SIGKILL (ecs-facts 6.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What containers get from where they run.

    endpoint: URL of this server; names: values of `{python}` and the like in stand-ins.
    """

    region: str
    endpoint: str
    images: Images
    names: Mapping[str, str]


def task_spec(task: Task, surroundings: Surroundings) -> TaskSpec:
    return TaskSpec(
        task_id=task.id,
        task_arn=task.arn,
        family=task.task_definition.family,
        containers=tuple(
            _container_spec(task, container, surroundings) for container in task.containers
        ),
        labels={
            "cluster": task.cluster_arn.rpartition("/")[2],
            "service": task.service_name or "",
        },
    )


def _container_spec(task: Task, container: Container, surroundings: Surroundings) -> ContainerSpec:
    definition = container.definition
    override = next(
        item for item in task.overrides["containerOverrides"] if item["name"] == container.name
    )
    image = definition["image"]
    found = find_stand_in(image, surroundings.images)
    stand_in = expanded(found, surroundings.names) if found else StandIn()
    entry_point, command = _argv(definition, override, stand_in)
    return ContainerSpec(
        name=container.name,
        image=stand_in.image or image,
        entry_point=entry_point,
        command=command,
        environment=_environment(task, definition, override, stand_in, surroundings),
        working_directory=definition.get("workingDirectory") or stand_in.working_directory,
        stop_timeout=float(definition.get("stopTimeout", DEFAULT_STOP_TIMEOUT)),
        pull_error=stand_in.pull_error,
        cpu=override.get("cpu", definition["cpu"]),
        memory=override.get("memory", definition.get("memory")),
        memory_reservation=override.get("memoryReservation", definition.get("memoryReservation")),
    )


def _argv(
    definition: Structure, override: Structure, stand_in: StandIn
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """ENTRYPOINT and CMD as Docker combines them: an entryPoint of the definition drops the
    image's CMD, a command replaces it.
    """
    entry_point = definition.get("entryPoint")
    command = override.get("command", definition.get("command"))
    image_command = stand_in.command if not entry_point else ()
    return (
        tuple(entry_point or stand_in.entrypoint) or None,
        tuple(command or image_command) or None,
    )


def _environment(
    task: Task,
    definition: Structure,
    override: Structure,
    stand_in: StandIn,
    surroundings: Surroundings,
) -> dict[str, str]:
    """Later ones win: what ECS injects, the image's, the definition's, the override's."""
    kind = "FARGATE" if task.launch_type == "FARGATE" else "EC2"
    environment = {
        "AWS_EXECUTION_ENV": f"AWS_ECS_{kind}",
        "AWS_REGION": surroundings.region,
        "AWS_DEFAULT_REGION": surroundings.region,
        # Nothing in a task reaches real AWS by accident.
        "AWS_ENDPOINT_URL": surroundings.endpoint,
        **stand_in.environment,
    }
    for pair in (*definition["environment"], *override.get("environment", ())):
        environment[pair["name"]] = pair.get("value", "")
    return environment
