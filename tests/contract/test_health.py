"""Container health checks (ecs-facts 6.10), and what waits for them (6.9)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_health

from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.documented

IDLE = on_term("exit 0")


def checked(command: str, **more: Any) -> dict[str, Any]:
    return {"healthCheck": {"command": ["CMD-SHELL", command], "interval": 5, **more}}


def test_a_container_becomes_healthy_and_unhealthy(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": IDLE, **checked("test -e fine", retries=1)}))
    kecs.wait_running(task)
    assert kecs.describe(task)["healthStatus"] == "UNKNOWN"
    assert kecs.exec(task, "touch fine").exit_code == 0
    seen = wait_health(kecs, task, "HEALTHY")
    assert seen["containers"][0]["healthStatus"] == "HEALTHY"
    kecs.exec(task, "rm fine")
    kecs.advance_clock(6)
    seen = wait_health(kecs, task, "UNHEALTHY")
    assert seen.last_status == "RUNNING"  # a standalone task runs on
    kecs.exec(task, "touch fine")
    kecs.advance_clock(6)
    wait_health(kecs, task, "HEALTHY")


def test_failures_count_only_after_the_start_period(kecs: Kecs, register: Any) -> None:
    check = checked("false", retries=1, startPeriod=300)
    task = kecs.run_task(register(app={"command": IDLE, **check}))
    kecs.wait_running(task)
    kecs.advance_clock(290)
    kecs.exec(task, "true")
    assert kecs.describe(task)["healthStatus"] == "UNKNOWN"
    kecs.advance_clock(20)
    wait_health(kecs, task, "UNHEALTHY")


def test_a_check_has_the_containers_variables_and_directory(kecs: Kecs, register: Any) -> None:
    app = {
        "command": IDLE,
        "environment": [{"name": "WORD", "value": "a b"}],
        "workingDirectory": "/tmp/kecs-health",
        **checked('test "$WORD" = "a b" && test "${PWD##*/}" = kecs-health'),
    }
    task = kecs.run_task(register(app=app))
    wait_health(kecs, task, "HEALTHY")


def test_a_check_that_hangs_is_a_failure(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(app={"command": IDLE, **checked("sleep 60", timeout=2, retries=1)})
    )
    kecs.wait_running(task)
    kecs.advance_clock(6)
    wait_health(kecs, task, "UNHEALTHY")


def test_a_check_by_words(kecs: Kecs, register: Any) -> None:
    app = {"command": IDLE, "healthCheck": {"command": ["CMD", "sh", "-c", "exit 0"]}}
    assert kecs.assert_healthy(kecs.run_task(register(app=app)))["healthStatus"] == "HEALTHY"


def test_only_essential_containers_decide(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(
            app={"command": IDLE, **checked("true")},
            side={"command": IDLE, "essential": False, **checked("false", retries=1)},
        )
    )
    kecs.wait_running(task)
    wait_health(kecs, task, "HEALTHY")
    kecs.advance_clock(6)
    kecs.exec(task, "true", "side")
    assert kecs.describe(task)["healthStatus"] == "HEALTHY"


def test_healthy_lets_the_next_container_start(kecs: Kecs, register: Any) -> None:
    depends = [{"containerName": "db", "condition": "HEALTHY"}]
    task = kecs.run_task(
        register(
            db={"command": "sleep 0.5; touch up; " + IDLE, **checked("test -e up")},
            app={"command": "exit 4", "dependsOn": depends},
        )
    )
    stopped = kecs.assert_stopped(task, exit_code=4, container="app")
    assert stopped["containers"][0]["healthStatus"] == "HEALTHY"


def test_start_timeout_ends_the_task(kecs: Kecs, register: Any) -> None:
    depends = [{"containerName": "db", "condition": "HEALTHY"}]
    task = kecs.run_task(
        register(
            db={"command": IDLE, "startTimeout": 2, **checked("false")},
            app={"command": "exit 0", "dependsOn": depends},
        )
    )
    stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart")
    assert "[db] for target [app] has timed out" in stopped.containers["app"]["reason"]
    assert "exitCode" not in stopped.containers["app"]
    assert "startedAt" not in stopped


def test_waiting_for_health_gives_up_when_the_task_stops(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": "exit 3", **checked("false")}))
    with pytest.raises(WaitError, match="will not become HEALTHY any more"):
        kecs.assert_healthy(task)


def test_what_has_no_health_check_is_not_waited_for(kecs: Kecs, register: Any) -> None:
    side = {"command": IDLE, "essential": False, **checked("true")}
    task = kecs.run_task(register(app=IDLE, side=side))
    with pytest.raises(WaitError, match="none of its essential containers has a health check"):
        kecs.assert_healthy(task)


def test_the_error_says_what_a_container_waits_for(kecs: Kecs, register: Any) -> None:
    db = {"command": IDLE, "essential": False, **checked("exit 1")}
    after = [{"containerName": "db", "condition": "HEALTHY"}]
    task = kecs.run_task(register(db=db, app={"command": IDLE, "dependsOn": after}))
    with pytest.raises(WaitTimeout, match="app: waits for db to be HEALTHY"):
        kecs.wait_running(task, timeout=0.5)
