"""ExecuteCommand: every check (ecs-facts 15). The session itself does not exist yet."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.task import Container
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import NotImplementedException
from kecs_server.operations import lookup
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

_NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or "
    "the execute command agent isn’t running. Wait and try again or run a new task with execute "  # noqa: RUF001
    "command enabled and try again."
)


@registry.operation("ExecuteCommand")
def execute_command(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    identifier = lookup.task_id(call, cluster, params["task"], parameter="task")
    task = lookup.find_task(call, cluster, identifier)
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    if task.last_status != Status.RUNNING:
        raise InvalidParameterException(
            "The execute command failed because the task is not running."
        )
    if not task.enable_execute_command:
        raise InvalidParameterException(_NOT_ENABLED)
    if _chosen_container(task, params.get("container")).last_status != "RUNNING":
        raise InvalidParameterException(_NOT_ENABLED)
    if not params["interactive"]:
        raise InvalidParameterException("Interactive is the only mode supported currently.")
    if not params["command"].strip():
        raise InvalidParameterException("The command must not be empty.")
    raise NotImplementedException(
        "pytest-kecs has no streamed sessions of ExecuteCommand yet; every check of the request "
        "was made. In a test, kecs.exec(task, command) runs a command in a container and returns "
        "its exit code and output."
    )


def _chosen_container(task: Task, name: str | None) -> Container:
    """:raises InvalidParameterException: none is named where there are several, or no such one."""
    if not name:
        if len(task.containers) > 1:
            raise InvalidParameterException(
                "The name of a container must be given, because the task has more than one."
            )
        return task.containers[0]
    for container in task.containers:
        if container.name == name:
            return container
    raise InvalidParameterException(f"The task has no container named '{name}'.")
