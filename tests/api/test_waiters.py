"""botocore's waiters: as quick as the change, and their MaxAttempts mean what they mean on AWS."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from api_steps import container
from api_steps import register
from api_steps import run
from botocore.exceptions import WaiterError
from kecs_server.protocol.model import waiters_of

pytestmark = pytest.mark.ours

SOON = 2.0
"""Seconds: far less than the six or fifteen that a waiter would sleep."""


@pytest.fixture
def app(cluster: Any) -> str:
    return register(cluster, "app", container(command=["sh", "-c", "sleep 0.3; exit 1"]))


@pytest.mark.documented
def test_tasks_running_then_stopped(ecs: Any, app: str) -> None:
    arn = run(ecs, app)["taskArn"]
    began = time.monotonic()
    ecs.get_waiter("tasks_running").wait(tasks=[arn])
    ecs.get_waiter("tasks_stopped").wait(tasks=[arn])
    assert time.monotonic() - began < SOON


def test_two_equal_waiters_one_after_the_other_are_not_held(ecs: Any, cluster: Any) -> None:
    arn = run(ecs, register(ecs))["taskArn"]
    began = time.monotonic()
    for _ in range(2):
        ecs.get_waiter("tasks_running").wait(tasks=[arn])
    ecs.stop_task(task=arn)
    for _ in range(3):
        ecs.get_waiter("tasks_stopped").wait(tasks=[arn])
    assert time.monotonic() - began < SOON


@pytest.mark.documented
def test_a_waiter_gives_up_at_once_when_it_must_fail(ecs: Any, app: str) -> None:
    arn = run(ecs, app)["taskArn"]
    ecs.get_waiter("tasks_stopped").wait(tasks=[arn])
    with pytest.raises(WaiterError):
        ecs.get_waiter("tasks_running").wait(tasks=[arn])


@pytest.mark.documented
def test_services(ecs: Any, cluster: Any) -> None:
    register(ecs)
    began = time.monotonic()
    ecs.create_service(serviceName="web", taskDefinition="app", desiredCount=2)
    ecs.get_waiter("services_stable").wait(services=["web"])
    ecs.delete_service(service="web", force=True)
    ecs.get_waiter("services_inactive").wait(services=["web"])
    assert time.monotonic() - began < SOON


def test_a_service_whose_tasks_exit_at_once_is_not_stable(ecs: Any, cluster: Any) -> None:
    register(ecs, "app", container(command=["sh", "-c", "exit 0"]))
    ecs.create_service(serviceName="web", taskDefinition="app", desiredCount=1)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ecs.get_waiter("services_stable").wait(services=["web"], WaiterConfig={"MaxAttempts": 8})


def test_a_poll_is_held_until_something_changes(ecs: Any, cluster: Any) -> None:
    """Three attempts are enough for a change that comes after many client-side sleeps."""
    arn = run(ecs, register(ecs))["taskArn"]
    ecs.get_waiter("tasks_running").wait(tasks=[arn])
    stop = threading.Timer(0.5, lambda: ecs.stop_task(task=arn))
    stop.start()
    # The first answers come at once; then one is held until the task stops.
    ecs.get_waiter("tasks_stopped").wait(tasks=[arn], WaiterConfig={"MaxAttempts": 6})
    stop.join()


def test_a_plain_describe_is_never_held(ecs: Any, cluster: Any) -> None:
    arn = run(ecs, register(ecs))["taskArn"]
    ecs.get_waiter("tasks_running").wait(tasks=[arn])
    began = time.monotonic()
    for _ in range(20):
        ecs.describe_tasks(tasks=[arn])
    assert time.monotonic() - began < SOON


@pytest.mark.documented
def test_the_delays_are_those_of_botocore() -> None:
    assert {waiter.delay for waiter in waiters_of("DescribeTasks")} == {6}
    assert {waiter.delay for waiter in waiters_of("DescribeServices")} == {15}
