"""dependsOn at the start, and its reverse at the stop (ecs-facts 6.9)."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_container_stopped
from steps import wait_ready

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented


def after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def moments(kecs: Kecs, task: Any) -> list[str]:
    """What happened to the containers, in order: `NAME STATUS`."""
    return [
        " ".join(entry["text"].replace(",", "").split(" ")[1:3])
        for entry in kecs._admin.timeline()
        if entry["subject"] == task.arn and entry["text"].startswith("container ")
    ]


def test_success_then_start(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(
            app={"command": "exit 0", "dependsOn": after("side", "START")},
            side={
                "command": on_term("exit 0"),
                "essential": False,
                "dependsOn": after("init", "SUCCESS"),
            },
            init={"command": "exit 0", "essential": False},
        )
    )
    kecs.assert_stopped(task, exit_code=0, container="app")
    assert moments(kecs, task)[:4] == [
        "init RUNNING",
        "init STOPPED",
        "side RUNNING",
        "app RUNNING",
    ]


def test_complete_takes_any_exit_code(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(
            init={"command": "exit 9", "essential": False},
            app={"command": "exit 0", "dependsOn": after("init", "COMPLETE")},
        )
    )
    stopped = kecs.assert_stopped(task, exit_code=0, container="app")
    assert stopped.exit_codes["init"] == 9


def test_success_that_can_no_longer_come_ends_the_task(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(
        register(
            init={"command": "exit 9", "essential": False},
            app={"command": "exit 0", "dependsOn": after("init", "SUCCESS")},
        )
    )
    stopped = kecs.assert_stopped(task, stop_code="TaskFailedToStart", reason="dependency graph")
    assert stopped.exit_codes == {"init": 9}


def test_held_container_does_not_run_and_the_others_do(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    task = kecs.run_task(
        register(
            first={"command": on_term("exit 0"), "essential": False},
            app={"command": "echo too early", "dependsOn": after("first", "SUCCESS")},
        )
    )
    wait_ready(kecs, task, "first")
    seen = kecs.describe(task)
    assert seen.last_status == "PENDING"
    assert seen.containers["app"]["lastStatus"] == "PENDING"
    ecs_client.stop_task(task=task.arn)
    kecs.assert_stopped(task, exit_code=0, container="first")
    assert kecs.logs(task, "app") == ""


def test_stop_is_the_reverse_of_the_start(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(
        register(
            base=on_term("exit 1"),
            middle={"command": on_term("exit 2"), "dependsOn": after("base", "START")},
            top={"command": on_term("exit 3"), "dependsOn": after("middle", "START")},
        )
    )
    for name in ("base", "middle", "top"):
        wait_ready(kecs, task, name)
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.wait_stopped(task)
    assert stopped.exit_codes == {"base": 1, "middle": 2, "top": 3}
    assert moments(kecs, task)[3:] == ["top STOPPED", "middle STOPPED", "base STOPPED"]


def test_several_that_ignore_sigterm_are_stopped_at_the_same_time(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    ignoring = {"command": on_term(""), "stopTimeout": 4}
    task = kecs.run_task(register(one=ignoring, two=ignoring, three=ignoring))
    for name in ("one", "two", "three"):
        wait_ready(kecs, task, name)
    ecs_client.stop_task(task=task.arn)
    stopped = kecs.wait_stopped(task)
    assert set(stopped.exit_codes.values()) == {137}
    # One after another would be three times four seconds.
    assert (stopped["stoppedAt"] - stopped["stoppingAt"]).total_seconds() < 11


def test_one_that_ended_leaves_the_others_running(
    kecs: Kecs, ecs_client: Any, register: Any
) -> None:
    task = kecs.run_task(
        register(
            app=on_term("exit 0"),
            init={"command": "exit 3", "essential": False},
        )
    )
    assert wait_container_stopped(kecs, task, "init").exit_codes["init"] == 3
    wait_ready(kecs, task, "app")
    assert kecs.describe(task).containers["app"]["lastStatus"] == "RUNNING"


def test_ten_containers_that_all_wait_for_all_before_them(kecs: Kecs, register: Any) -> None:
    """As many containers as a task can have, and as many dependencies: 45."""
    names = [f"c{number}" for number in range(10)]
    conditions = ("COMPLETE", "SUCCESS", "START")
    containers = {
        name: {
            "command": "exit 0",
            "essential": name == names[-1],
            "dependsOn": [
                after(earlier, conditions[(number + place) % 3])[0]
                for place, earlier in enumerate(names[:number])
            ],
        }
        for number, name in enumerate(names)
    }
    task = kecs.run_task(register("ten", None, **dict(reversed(containers.items()))))
    stopped = kecs.assert_stopped(task, exit_code=0, container=names[-1])
    assert set(stopped.exit_codes.values()) == {0}
    started = [moment for moment in moments(kecs, task) if moment.endswith("RUNNING")]
    assert started == [f"{name} RUNNING" for name in names]
