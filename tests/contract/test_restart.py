"""restartPolicy (ecs-facts 6.11). Run time counts on the realm's clock."""

from __future__ import annotations

from typing import Any

import pytest
from steps import wait_for

from pytest_kecs.kecs import Kecs
from pytest_kecs.task import Task

pytestmark = pytest.mark.documented

UNTIL_TOLD = "echo life; while [ ! -e go ]; do sleep 0.05; done; code=$(cat go); rm go; exit $code"


def policy(**more: Any) -> dict[str, Any]:
    return {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60, **more}}


def begin(kecs: Kecs, task: Task, *lives: str) -> str:
    """Wait until the container runs in a life that is not one of these; returns its name."""

    def life() -> str | None:
        name: str | None = kecs.describe(task)["containers"][0].get("runtimeId")
        return None if name in lives else name

    wait_for(lambda: life() is not None, f"no life {len(lives) + 1}")
    return str(life())


def end(kecs: Kecs, task: Task, code: int) -> None:
    """Have the container exit."""
    assert kecs.exec(task, f"echo {code} > new && mv new go").exit_code == 0


def lives(kecs: Kecs, task: Task) -> int:
    return kecs.logs(task).count("life")


def test_a_container_that_ran_long_enough_is_restarted(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": UNTIL_TOLD, **policy()}))
    first = begin(kecs, task)
    kecs.advance_clock(61)
    end(kecs, task, 3)
    second = begin(kecs, task, first)
    kecs.advance_clock(61)
    end(kecs, task, 3)
    begin(kecs, task, first, second)
    assert kecs.describe(task).last_status == "RUNNING"
    end(kecs, task, 5)  # too early: the container ends for good
    kecs.assert_stopped(task, exit_code=5, stop_code="EssentialContainerExited")
    assert [line.text for line in kecs.logs(task, follow=True)] == ["life"] * 3


def test_an_ignored_exit_code_is_an_end(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": UNTIL_TOLD, **policy(ignoredExitCodes=[0, 7])}))
    begin(kecs, task)
    kecs.advance_clock(61)
    end(kecs, task, 7)
    kecs.assert_stopped(task, exit_code=7)
    assert lives(kecs, task) == 1


def test_a_stopped_task_is_not_restarted(kecs: Kecs, register: Any, ecs_client: Any) -> None:
    task = kecs.run_task(register(app={"command": UNTIL_TOLD, **policy(), "stopTimeout": 2}))
    begin(kecs, task)
    kecs.advance_clock(61)
    ecs_client.stop_task(cluster=task["clusterArn"], task=task.arn)
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated")
    assert stopped.exit_codes["app"] in (137, 143)
    assert lives(kecs, task) == 1
