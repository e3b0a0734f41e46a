"""FireLens: one container of a task gets the lines of others, in Fluent's forward protocol, and
leads them where its configuration says.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.task import Container
from kecs_server.domain.task import Task

Structure = dict[str, Any]

PORT = 24224
"""Where the router listens."""


def is_router(definition: Structure) -> bool:
    """Of a container."""
    return "firelensConfiguration" in definition


def logs_to_router(definition: Structure) -> bool:
    """Whether its lines go there."""
    driver: str | None = definition.get("logConfiguration", {}).get("logDriver")
    return driver == "awsfirelens"


def router_of(task: Task) -> Container | None:
    """None: the task has none, as most."""
    return next((each for each in task.containers if is_router(each.definition)), None)


def tag_of(task: Task, container: Container) -> str:
    """By which the router's configuration tells the containers apart."""
    return f"{container.name}-firelens-{task.id}"


def metadata_of(task: Task) -> dict[str, str]:
    """What each record has of its task, unless the router's options say that it has not."""
    router = router_of(task)
    if router is None:
        return {}
    options = router.definition["firelensConfiguration"].get("options", {})
    if options.get("enable-ecs-log-metadata") == "false":
        return {}
    return {
        "ecs_cluster": task.cluster_arn.rpartition("/")[2],
        "ecs_task_arn": task.arn,
        "ecs_task_definition": f"{task.task_definition.family}:{task.task_definition.revision}",
    }
