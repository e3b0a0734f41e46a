"""What is said to have helped."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kecs import hints
from pytest_kecs.task import Task

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/" + "a" * 32
EXITED = {"stopCode": "EssentialContainerExited"}
UNSTARTED = {"stopCode": "TaskFailedToStart"}
RUNNING: dict[str, Any] = {"lastStatus": "RUNNING"}


def task(**facts: Any) -> Task:
    return Task({"taskArn": ARN, "lastStatus": "RUNNING", "desiredStatus": "RUNNING", **facts})


def service(*, breaker: bool = False) -> dict[str, Any]:
    return {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": breaker}}}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (hints.for_running(task(**EXITED)), "kecs.assert_exit_code"),
        (hints.for_running(task(**UNSTARTED)), None),
        (hints.for_healthy(task()), "kecs.advance_clock(30)"),
        (hints.for_healthy(task(lastStatus="PENDING")), None),
        (hints.for_clock({"clock": "manual"}), "kecs.advance_clock"),
        (hints.for_clock({}), None),
        (hints.for_stopped(task()), "nobody has stopped it"),
        (hints.for_stopped(task(desiredStatus="STOPPED")), "stopTimeout"),
        (hints.for_service(service(), []), None),
        (hints.for_service(service(), [EXITED, RUNNING]), None),
        (hints.for_service(service(), [RUNNING, EXITED]), "end by themselves"),
        (hints.for_service(service(breaker=True), [EXITED]), "none that has been RUNNING"),
        (hints.for_service({}, [UNSTARTED]), "with a deploymentCircuitBreaker"),
        (hints.for_service(service(breaker=True), [UNSTARTED]), None),
        (hints.for_deployment({"lifecycleStage": "SCALE_UP"}), None),
        (hints.for_deployment({"lifecycleStage": "BAKE_TIME"}), "kecs.advance_clock(SECONDS)"),
    ],
)
def test_there_is_one_where_it_helps(found: list[str], text: str | None) -> None:
    assert len(found) == (text is not None)
    assert text is None or text in found[0]


def test_hooks_that_are_waited_for() -> None:
    hooks = [
        {"hookId": "h1", "status": "AWAITING_ACTION"},
        {"hookId": "h2", "status": "IN_PROGRESS", "targetArn": "arn:f"},
        {"hookId": "h3", "status": "SUCCEEDED", "targetArn": "arn:g"},
    ]
    pause, function = hints.for_deployment(
        {"lifecycleStage": "BAKE_TIME", "lifecycleHookDetails": hooks}
    )
    assert "continue_service_deployment(" in pause
    assert "hookId='h1'" in pause
    assert function == "it waits for the hook arn:f; kecs.on_hook says who answers"
