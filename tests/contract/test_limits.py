"""Limits of memory and of what a process may use."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term
from steps import wait_container_stopped
from steps import wait_ready

from pytest_kecs.kecs import Kecs

REASON = "OutOfMemoryError: Container killed due to memory usage"
TAKE_200_MIB = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M"]
"""Takes that much, and goes on for ever."""


def test_above_the_containers_memory(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app={"command": TAKE_200_MIB, "memory": 64}))
    stopped = kecs.assert_stopped(
        task, exit_code=137, reason="Essential container in task exited", timeout=60
    )
    assert stopped["containers"][0]["reason"] == REASON


def test_above_the_memory_that_an_override_leaves(kecs: Kecs, register: Any) -> None:
    family = register(app={"command": TAKE_200_MIB, "memory": 512})
    overrides = {"containerOverrides": [{"name": "app", "memory": 64}]}
    stopped = kecs.assert_stopped(kecs.run_task(family, overrides=overrides), exit_code=137)
    assert stopped["containers"][0]["reason"] == REASON


def test_a_reservation_is_no_limit(kecs: Kecs, register: Any) -> None:
    app = {
        "command": ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=20"],
        "memory": 256,
        "memoryReservation": 32,
    }
    kecs.assert_stopped(kecs.run_task(register(app=app)), exit_code=0)


def test_what_a_command_in_a_subprocess_takes_counts(
    kecs: Kecs, register: Any, engine: str
) -> None:
    if engine != "process":
        pytest.skip("the kernel kills the largest process of a Pod's container, not its first")
    task = kecs.run_task(register(app=" ".join(TAKE_200_MIB) + "; exit 0"))
    stopped = kecs.assert_stopped(task, exit_code=137)
    assert stopped["containers"][0]["reason"] == REASON


def test_the_others_of_the_task_go_on(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(
        register(
            main=on_term("exit 0"),
            side={"command": TAKE_200_MIB, "memory": 64, "essential": False},
        )
    )
    wait_ready(kecs, task, "main")
    seen = wait_container_stopped(kecs, task, "side")
    assert seen.exit_codes["side"] == 137
    assert seen.last_status == "RUNNING"
    ecs_client.stop_task(task=task.arn)
    kecs.assert_stopped(task, exit_code=0, container="main")


def test_ulimits(kecs: Kecs, register: Any, engine: str) -> None:
    if engine != "process":
        pytest.skip("Kubernetes has no ulimits: a declared limit")
    limits = [{"name": "nofile", "softLimit": 50, "hardLimit": 60}]
    script = "ulimit -Sn; ulimit -Hn"
    task = kecs.run_task(register(app={"command": script, "ulimits": limits}))
    kecs.assert_stopped(task, exit_code=0)
    assert kecs.logs(task) == "50\n60\n"
