"""Task sets run their tasks: each its share, until it is deleted (ecs-facts 9)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_ready

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

HERE = {"cluster": "default", "service": "web"}


def tasks_of(ecs_client: Any, task_set: str, desired_status: str = "RUNNING") -> list[str]:
    answer = ecs_client.list_tasks(startedBy=task_set, desiredStatus=desired_status)
    return list(answer["taskArns"])


def test_green_takes_the_place_of_blue(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    ecs_client.create_cluster()
    register(app=on_term("exit 3"))
    ecs_client.create_service(
        serviceName="web", desiredCount=2, deploymentController={"type": "EXTERNAL"}
    )

    def make(percent: float) -> str:
        scale = {"unit": "PERCENT", "value": percent}
        made = ecs_client.create_task_set(**HERE, taskDefinition="app", scale=scale)
        return str(made["taskSet"]["id"])

    blue = make(100)
    kecs.wait_stable("web")
    ecs_client.update_service_primary_task_set(**HERE, primaryTaskSet=blue)
    green = make(50)
    kecs.wait_stable("web")
    assert [len(tasks_of(ecs_client, each)) for each in (blue, green)] == [2, 1]

    [victim] = tasks_of(ecs_client, green)
    ecs_client.stop_task(task=victim)
    kecs.wait_stopped(victim)
    kecs.wait_stable("web")
    [replacement] = tasks_of(ecs_client, green)
    assert replacement != victim

    old = tasks_of(ecs_client, blue)
    for task in old:
        wait_ready(kecs, kecs.describe(task))
    ecs_client.update_service_primary_task_set(**HERE, primaryTaskSet=green)
    ecs_client.delete_task_set(**HERE, taskSet=blue, force=True)
    for task in old:
        kecs.assert_stopped(task, exit_code=3, stop_code="ServiceSchedulerInitiated")
    service = kecs.wait_stable("web")
    assert [(each["id"], each["status"]) for each in service["taskSets"]] == [(green, "PRIMARY")]
    assert ecs_client.list_tasks()["taskArns"] == [replacement]
