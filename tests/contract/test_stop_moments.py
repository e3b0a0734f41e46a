"""StopTask at every moment of a life, and the hour after it (ecs-facts 5.7, 5.9, 6.1)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_for
from steps import wait_ready

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

AFTER_SIDE = [{"containerName": "side", "condition": "SUCCESS"}]


def stop(ecs_client: Any, task: Any, **more: Any) -> Any:
    return ecs_client.stop_task(cluster=task["clusterArn"], task=task["taskArn"], **more)["task"]


def test_before_the_pull(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app=on_term("exit 0")))
    told = stop(ecs_client, task, reason="changed my mind")
    assert (told["desiredStatus"], told["stoppedReason"]) == ("STOPPED", "changed my mind")
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated", reason="changed my mind")
    assert "stoppedAt" in stopped


def test_while_it_waits_for_a_dependency(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    side = {"command": on_term("exit 9"), "essential": False}
    app = {"command": "exit 0", "dependsOn": AFTER_SIDE}
    task = kecs.run_task(register(side=side, app=app))
    wait_ready(kecs, task, "side")
    stop(ecs_client, task)
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated", reason="Task stopped by user")
    assert stopped.exit_codes["side"] == 9
    assert "exitCode" not in stopped.containers["app"]
    assert "startedAt" not in stopped
    assert stopped["executionStoppedAt"] >= stopped["stoppingAt"]


def test_while_it_is_being_stopped(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    script = on_term("echo asked; while [ ! -e go ]; do sleep 0.05; done; exit 4")
    task = kecs.run_task(register(app={"command": script, "stopTimeout": 60}))
    wait_ready(kecs, task)
    stop(ecs_client, task, reason="first")
    wait_for(lambda: "asked" in kecs.logs(task), "SIGTERM never came")
    again = stop(ecs_client, task, reason="second")
    assert (again["lastStatus"], again["stoppedReason"]) == ("STOPPING", "first")
    assert kecs.exec(task, "touch go").exit_code == 0
    kecs.assert_stopped(task, exit_code=4, reason="first")


def test_when_it_has_stopped(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app="exit 3"))
    before = kecs.assert_stopped(task, exit_code=3)
    told = stop(ecs_client, task, reason="too late")
    assert told["stoppedReason"] == "Essential container in task exited"
    assert kecs.describe(task)["version"] == before["version"]


def test_an_hour_later_it_is_missing(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app="echo said; exit 3"))
    kecs.assert_stopped(task, exit_code=3)
    kecs.advance_clock(3590)
    assert kecs.describe(task).last_status == "STOPPED"
    assert kecs.logs(task) == "said\n"
    kecs.advance_clock(20)
    answer = ecs_client.describe_tasks(cluster=task["clusterArn"], tasks=[task.arn])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    assert (
        ecs_client.list_tasks(cluster=task["clusterArn"], desiredStatus="STOPPED")["taskArns"] == []
    )
