"""What is known of a cluster's tasks without looking at each."""

from __future__ import annotations

import pytest
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.tasks import Tasks
from made_tasks import made_task

BODY = {"containerDefinitions": [{"name": "app", "image": "i"}, {"name": "side", "image": "i"}]}


def filled(count: int) -> tuple[Tasks, list[Task]]:
    """:param count: tasks of the definition `arn`."""
    tasks, made = Tasks(), [made_task(BODY) for _ in range(count)]
    for task in made:
        tasks[task.id] = task
    return tasks, made


def test_a_definition_is_in_use_until_its_last_task_has_stopped() -> None:
    tasks, (first, second) = filled(2)
    assert list(tasks.live_definitions) == ["arn"]
    move(first, Status.STOPPED, 1.0)
    assert list(tasks.live_definitions) == ["arn"]
    move(second, Status.STOPPED, 1.0)
    assert list(tasks.live_definitions) == []


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_task_that_is_forgotten(is_stopped: bool) -> None:  # noqa: FBT001
    tasks, (task,) = filled(1)
    if is_stopped:
        move(task, Status.STOPPED, 1.0)
    del tasks[task.id]
    assert list(tasks.live_definitions) == []
    assert tasks.asking(task.credentials_id) is None


def test_who_asks() -> None:
    tasks, made = filled(3)
    for task in made:
        secrets = [task.credentials_id, *(each.metadata_id for each in task.containers)]
        assert [tasks.asking(secret) for secret in secrets] == [task] * 3
    assert tasks.asking("else") is None
