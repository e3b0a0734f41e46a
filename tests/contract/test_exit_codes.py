"""Exit codes, signals and the reasons why a task stopped (ecs-facts 6.5 to 6.8)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_container_stopped
from steps import wait_ready

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_code(kecs: Kecs, register: Any, code: int) -> None:
    task = kecs.run_task(register(app=f"exit {code}"))
    stopped = kecs.assert_stopped(
        task,
        exit_code=code,
        stop_code="EssentialContainerExited",
        reason="Essential container in task exited",
    )
    assert stopped["startedAt"] <= stopped["stoppingAt"] <= stopped["stoppedAt"]
    assert "reason" not in stopped["containers"][0]


def test_stopped_by_the_user_with_a_handler(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app=on_term("exit 7")))
    wait_ready(kecs, task)
    answer = ecs_client.stop_task(task=task.arn, reason="because")
    assert answer["task"]["desiredStatus"] == "STOPPED"
    kecs.assert_stopped(task, exit_code=7, stop_code="UserInitiated", reason="because")


def test_without_a_handler(kecs: Kecs, ecs_client: Any, register: Any, engine: str) -> None:
    """The declared difference: PID 1 of a Pod ignores SIGTERM, as on ECS; a process does not."""
    app = {"command": ["sleep", "1000"], "stopTimeout": 2}
    task = kecs.run_task(register(app=app))
    kecs.wait_running(task)
    ecs_client.stop_task(task=task.arn)
    expected = 143 if engine == "process" else 137
    kecs.assert_stopped(task, exit_code=expected, reason="Task stopped by user")


def test_ignored_sigterm_ends_with_sigkill(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    app = {"command": on_term(""), "stopTimeout": 2}
    task = kecs.run_task(register(app=app))
    wait_ready(kecs, task)
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.assert_stopped(task, exit_code=137)
    assert 2.0 <= (stopped["stoppedAt"] - stopped["stoppingAt"]).total_seconds() < 10.0


def test_killed_by_itself(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="sh -c 'kill -KILL $$'; exit $?"))
    kecs.assert_stopped(task, exit_code=137, stop_code="EssentialContainerExited")


def test_essential_container_takes_the_others_along(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(
            main="sleep 0.5; exit 4",
            side={"command": on_term("exit 9"), "essential": False},
        )
    )
    stopped = kecs.assert_stopped(task, exit_code=4, container="main")
    assert stopped.exit_codes == {"main": 4, "side": 9}


def test_other_containers_end_without_consequence(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    task = kecs.run_task(
        register(main=on_term("exit 0"), side={"command": "exit 5", "essential": False})
    )
    kecs.wait_running(task)
    seen = wait_container_stopped(kecs, task, "side")
    assert seen.exit_codes["side"] == 5
    assert seen.last_status == "RUNNING"
    wait_ready(kecs, task, "main")
    ecs_client.stop_task(task=task.arn)
    kecs.assert_stopped(task, exit_code=0, container="main")


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
def test_missing_program(kecs: Kecs, register: Any, program: str) -> None:
    task = kecs.run_task(register(app={"command": [program]}))
    stopped = kecs.assert_stopped(
        task, stop_code="TaskFailedToStart", reason="CannotStartContainerError: "
    )
    [container] = stopped["containers"]
    assert "exitCode" not in container
    assert program in container["reason"]
    assert stopped["stoppedReason"] == "Task failed to start"
    assert "startedAt" not in stopped


def test_failed_pull(kecs: Kecs, register: Any) -> None:
    kecs.map_image("*", pull_error="manifest unknown")
    task = kecs.run_task(register(app="exit 0"))
    stopped = kecs.assert_stopped(
        task,
        stop_code="TaskFailedToStart",
        reason="CannotPullContainerError: manifest unknown",
    )
    assert "exitCode" not in stopped["containers"][0]


def test_stopped_before_it_started(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    waits = {"command": "exit 0", "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]}
    first = {"command": on_term("exit 1"), "essential": False}
    task = kecs.run_task(register(first=first, app=waits))
    wait_ready(kecs, task, "first")
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.assert_stopped(task, stop_code="UserInitiated", container="first", exit_code=1)
    assert "app" not in stopped.exit_codes
    assert "startedAt" not in stopped


def test_stopped_at_once(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app=on_term("exit 0")))
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.wait_stopped(task)
    assert stopped.stop_code == "UserInitiated"
