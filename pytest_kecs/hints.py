"""What would have helped, where a state did not come."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from pytest_kecs.task import Task

Hints = Sequence[str]


def for_running(task: Task) -> Hints:
    """The task has stopped, or was not RUNNING in time."""
    if task.stop_code == "EssentialContainerExited":
        return [
            "a task ends with the first of its essential containers; for a program that is to "
            "end there is kecs.assert_exit_code(task, CODE)"
        ]
    return []


def for_healthy(task: Task) -> Hints:
    """The task was not HEALTHY in time."""
    if task.last_status != "RUNNING":
        return []
    return [
        "a check that has failed is tried again within its interval (30 s unless set) of the "
        "test's clock: kecs.advance_clock(30)"
    ]


def for_ending(task: Task) -> Hints:
    """The task does not end as asked."""
    if task.stop_code == "TaskFailedToStart":
        return ["a container that never ran has no exit code; on ECS there is no such member then"]
    return []


def for_stopped(task: Task) -> Hints:
    """The task was not STOPPED in time."""
    if task.desired_status == "STOPPED":
        return [
            "it is being stopped: a container that does not end on SIGTERM is killed after its "
            "stopTimeout (30 s unless set)"
        ]
    return ["nobody has stopped it: its program would have to end, or ecs_client.stop_task(...)"]


def for_service(service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Hints:
    """The service is not as it was to be; these are its tasks, ended ones too, the newest last.

    Which failures a circuit breaker counts: ecs-facts 8.2.
    """
    how = tasks[-1].get("stopCode") if tasks else None
    breaker = service.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    is_on = bool(breaker.get("enable"))
    if how == "EssentialContainerExited":
        hint = "its tasks end by themselves; the program of a service has to run on"
        uncounted = "; its circuit breaker counts none that has been RUNNING, as on ECS"
        return [hint + uncounted if is_on else hint]
    if how == "TaskFailedToStart" and not is_on:
        return [
            "its tasks do not start, and ECS goes on trying; with a deploymentCircuitBreaker in "
            "its deploymentConfiguration the deployment fails, and the wait ends, after a few"
        ]
    return []


def for_deployment(deployment: Mapping[str, Any]) -> Hints:
    """The deployment is not where it was to be in time."""
    hints = [hint for hook in deployment.get("lifecycleHookDetails", ()) if (hint := _hook(hook))]
    if not hints and deployment.get("lifecycleStage") in ("BAKE_TIME", "PRODUCTION_TRAFFIC_SHIFT"):
        return [
            "bake times and steps take minutes of the test's clock: kecs.advance_clock(SECONDS)"
        ]
    return hints


def for_clock(report: Mapping[str, Any]) -> Hints:
    """Something was not there in time, in an environment of which this is the report."""
    if report.get("clock") != "manual":
        return []
    return [
        'with clock="manual" the test\'s clock stands still: what waits for a moment, as a service '
        "for its steady state, waits for kecs.advance_clock(SECONDS)"
    ]


def _hook(hook: Mapping[str, Any]) -> str | None:
    if hook["status"] == "AWAITING_ACTION":
        return (
            "it waits for continue_service_deployment(serviceDeploymentArn=..., action='CONTINUE', "
            f"hookId={hook['hookId']!r})"
        )
    if hook["status"] == "IN_PROGRESS":
        return f"it waits for the hook {hook['targetArn']}; kecs.on_hook says who answers"
    return None
