"""What users of local ECS ask for where a task failed and did not say so."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from service_steps import create

from pytest_kecs.kecs import Kecs
from pytest_kecs.running import TaskNotStarted
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.ours

LONG = 600.0
"""Seconds that no test may take: a wait with this timeout has to give up by itself."""


def script(text: str, name: str = "app", **members: Any) -> dict[str, Any]:
    return container(name, command=["sh", "-c", text], **members)


def test_the_exit_code_of_a_run_in_one_line(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "job", script("exit 7"))
    assert kecs.assert_exit_code(kecs.run_task("job"), 7).exit_codes == {"app": 7}


def test_a_task_that_failed_to_start_in_one_line(cluster: Any, kecs: Kecs) -> None:
    """It has no exit code: no member of that name, and nobody takes it for success."""
    register(cluster, "job", script("exit 0"))
    kecs.map_image("*", pull_error="manifest unknown")
    task = kecs.run_task("job")
    stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart", reason="manifest unknown")
    assert "exitCode" not in stopped.containers["app"]
    assert (stopped.exit_codes, kecs.logs(task)) == ({}, "")
    for fails in (
        kecs.assert_exit_code,
        lambda task, code: kecs.assert_stopped(task, exit_code=code),
    ):
        with pytest.raises(AssertionError, match="app never had an exit code, not 0") as caught:
            fails(task, 0)
        assert "app: CannotPullContainerError: manifest unknown" in str(caught.value)


def test_waiting_for_running_says_why_the_task_is_stopped(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "web", script("echo no route to db >&2; exit 12"))
    task = kecs.run_task("web")
    kecs.wait_stopped(task)
    with pytest.raises(WaitError) as caught:
        kecs.assert_running(task, timeout=LONG)
    for part in (
        "will not become RUNNING any more",
        "EssentialContainerExited",
        "reason: Essential container in task exited",
        "app: exit 12",
        "no route to db",
        " ms  task ",
        "hint: ",
    ):
        assert part in str(caught.value)


def test_what_a_task_writes_while_it_runs_and_after_a_wait_that_timed_out(
    cluster: Any, kecs: Kecs
) -> None:
    register(cluster, "job", script("echo step 1; exec sleep 1000"))
    task = kecs.run_task("job")
    assert kecs.assert_log(task, "step 1").container == "app"
    with pytest.raises(WaitTimeout, match="step 1"):
        kecs.wait_stopped(task, timeout=0.05)
    assert kecs.describe(task).last_status == "RUNNING"
    assert kecs.logs(task) == "step 1\n"


def test_a_service_that_does_not_come_up_shows_its_last_tasks(cluster: Any, kecs: Kecs) -> None:
    """Events, ended tasks with exit codes and reasons, and logs; not `Max attempts exceeded`."""
    register(cluster, "app", script("echo starting; echo no database >&2; exit 9"))
    service = create(cluster)
    kecs.assert_event("ECS Task State Change", detail={"lastStatus": "STOPPED"})
    with pytest.raises(WaitTimeout) as caught:
        kecs.assert_service_stable(service, timeout=0.01)
    for part in ("(service s) has started 1 tasks", "app: exit 9", "starting", "no database"):
        assert part in str(caught.value)


def test_the_whole_ladder_can_be_seen(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "job", script("exit 0"))
    task = kecs.assert_stopped(kecs.run_task("job"), exit_code=0)
    events = kecs.events(detail_type="ECS Task State Change", resource=task)
    seen = list(dict.fromkeys(event.detail["lastStatus"] for event in events))
    ladder = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING"]
    assert [status for status in [*ladder, "DEPROVISIONING", "STOPPED"] if status in seen] == seen
    assert {"PENDING", "RUNNING", "STOPPED"} <= set(seen)


def test_every_container_is_told_of(cluster: Any, kecs: Kecs) -> None:
    after = [{"containerName": "side", "condition": "COMPLETE"}]
    side = script("exit 4", "side", essential=False)
    register(cluster, "two", script("exit 3", dependsOn=after), side)
    task = kecs.assert_exit_code(kecs.run_task("two"), 4, "side")
    with pytest.raises(AssertionError) as caught:
        kecs.assert_stopped(task, exit_code=0, container="app")
    assert "app: exit 3, side: exit 4" in str(caught.value)


def test_a_dependency_that_can_never_be_met_is_told_of(cluster: Any, kecs: Kecs) -> None:
    waiting = container(
        command=SLEEP, dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]
    )
    register(cluster, "two", waiting, script("exit 5", "init", essential=False))
    with pytest.raises(WaitError) as caught:
        kecs.assert_running(kecs.run_task("two"), timeout=LONG)
    assert "app: CannotStartContainerError: dependency graph: failed to resolve" in str(
        caught.value
    )
    assert "init: exit 5" in str(caught.value)


def test_what_used_up_its_memory_is_told_of(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "job", container(command=["tail", "/dev/zero"], memory=32))
    with pytest.raises(AssertionError) as caught:
        kecs.assert_exit_code(kecs.run_task("job"), 0, timeout=LONG)
    assert "app: exit 137 (SIGKILL)" in str(caught.value)
    assert "OutOfMemoryError" in str(caught.value)


def test_for_what_there_is_no_room_is_told_in_words(cluster: Any, kecs: Kecs) -> None:
    register(cluster, "job", container(memory=10_000_000))
    text = r"job was not started: RESOURCE:MEMORY \(not enough memory is left\), arn:aws:ecs:"
    with pytest.raises(TaskNotStarted, match=text):
        kecs.run_task("job")
