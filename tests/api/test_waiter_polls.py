"""Waiters with settings of their own, and what a held poll costs others."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from api_steps import run
from api_steps import wait_running
from botocore.exceptions import WaiterError

pytestmark = pytest.mark.ours


@pytest.fixture
def running(cluster: Any) -> str:
    """The ARN of a task that runs."""
    register(cluster, "app", container(command=SLEEP))
    arn = run(cluster, "app")["taskArn"]
    wait_running(cluster, arn)
    return str(arn)


def test_a_delay_of_the_tests_own(ecs: Any, running: str) -> None:
    began = time.monotonic()
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ecs.get_waiter("tasks_stopped").wait(
            tasks=[running], WaiterConfig={"Delay": 1.1, "MaxAttempts": 2}
        )
    # Two questions and the sleep between them: nothing was held.
    assert 1.0 < time.monotonic() - began < 3.0


def test_one_attempt_is_one_question(ecs: Any, running: str) -> None:
    began = time.monotonic()
    with pytest.raises(WaiterError):
        ecs.get_waiter("tasks_stopped").wait(tasks=[running], WaiterConfig={"MaxAttempts": 1})
    assert time.monotonic() - began < 2.0


def test_missing_task(ecs: Any, running: str) -> None:
    with pytest.raises(WaiterError, match='matched expected path: "MISSING"'):
        ecs.get_waiter("tasks_running").wait(tasks=[running, "0" * 32])


def test_missing_service(ecs: Any, running: str) -> None:
    for name in ("services_stable", "services_inactive"):
        with pytest.raises(WaiterError, match='matched expected path: "MISSING"'):
            ecs.get_waiter(name).wait(services=["none"])


def test_other_changes_do_not_use_up_attempts(ecs: Any, running: str) -> None:
    """Fifty clusters come while a waiter waits; it still has attempts left for the stop."""
    stop = threading.Event()

    def change() -> None:
        for number in range(50):
            ecs.create_cluster(clusterName=f"c{number}")
        ecs.stop_task(task=running)
        stop.set()

    thread = threading.Thread(target=change)
    thread.start()
    ecs.get_waiter("tasks_stopped").wait(tasks=[running], WaiterConfig={"MaxAttempts": 5})
    assert stop.is_set()
    thread.join()


def test_several_waiters_at_once(ecs: Any, running: str) -> None:
    ended: list[float] = []

    def wait() -> None:
        ecs.get_waiter("tasks_stopped").wait(tasks=[running])
        ended.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    ecs.stop_task(task=running)
    for thread in threads:
        thread.join()
    assert max(ended) - began < 2.0


def test_many_tasks_that_end_one_after_another_do_not_use_up_attempts(
    ecs: Any, cluster: Any
) -> None:
    """Sixty tasks have more than forty attempts' worth of changes."""
    command = ["sh", "-c", "sleep $SECONDS_TO_GO"]
    register(cluster, "app", container(command=command))
    tasks = [
        run(
            cluster,
            "app",
            overrides={
                "containerOverrides": [
                    {
                        "name": "app",
                        "environment": [{"name": "SECONDS_TO_GO", "value": f"{number / 20}"}],
                    }
                ]
            },
        )["taskArn"]
        for number in range(60)
    ]
    ecs.get_waiter("tasks_stopped").wait(tasks=tasks, WaiterConfig={"MaxAttempts": 40})
