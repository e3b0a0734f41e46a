"""Steps that the contract tests share."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from pytest_kecs.kecs import Kecs
from pytest_kecs.task import Task

PATIENCE = 30.0
INTERVAL = 0.02


def on_term(then: str) -> str:
    """A script that says `ready`, waits, and does `then` when it is told to end."""
    return f"trap {shlex.quote(then)} TERM; echo ready; while :; do sleep 0.1; done"


def wait_ready(kecs: Kecs, task: Task, container: str | None = None) -> None:
    """Wait until the script of `on_term` has set its trap. What a container writes is no event."""
    wait_for(lambda: "ready" in kecs.logs(task, container), "the container never said ready")


def wait_container_stopped(kecs: Kecs, task: Task, name: str) -> Task:
    """Wait until one container has stopped while the task goes on."""
    wait_for(
        lambda: kecs.describe(task).containers[name]["lastStatus"] == "STOPPED",
        f"the container {name} never stopped",
    )
    return kecs.describe(task)


def wait_health(kecs: Kecs, task: Task, status: str) -> Task:
    """Wait until the task's healthStatus is `status`."""
    wait_for(lambda: kecs.describe(task)["healthStatus"] == status, f"never {status}")
    return kecs.describe(task)


def wait_for(has_come: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not has_come():
        assert time.monotonic() < deadline, otherwise
        time.sleep(INTERVAL)
