"""What a task or a service has to be for a wait to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_kecs.task import Task


def is_running(task: Task) -> bool:
    return task.last_status == "RUNNING" and task.desired_status == "RUNNING"


def is_healthy(task: Task) -> bool:
    return bool(task["healthStatus"] == "HEALTHY" and task.desired_status == "RUNNING")


def counts_for_health(container: Mapping[str, Any]) -> bool:
    command = container.get("healthCheck", {}).get("command", ["NONE"])
    return bool(container.get("essential", True) and command[0] != "NONE")


def is_stopped(task: Task) -> bool:
    return task.last_status == "STOPPED"


def has_failed(service: Mapping[str, Any]) -> bool:
    """Its newest deployment failed and is not rolled back: nothing is started any more."""
    states = [deployment.get("rolloutState") for deployment in service.get("deployments", ())]
    return states[:1] == ["FAILED"] and "currentServiceDeployment" not in service


def is_stable(service: Mapping[str, Any]) -> bool:
    """The counts alone can be right for the instant at which tasks that exit at once all run.

    Task sets say themselves whether they are stable (`stabilityStatus`).
    """
    task_sets = service.get("taskSets", ())
    if task_sets:
        return all(
            each["stabilityStatus"] == "STEADY_STATE" and each["status"] != "DRAINING"
            for each in task_sets
        )
    one_deployment = len(service.get("deployments", ())) <= 1
    has_all = service["runningCount"] == service["desiredCount"]
    newest = [event["message"] for event in service.get("events", ())][:1]
    is_steady = any(message.endswith("has reached a steady state.") for message in newest)
    return one_deployment and has_all and is_steady


_WAY = ("PENDING", "IN_PROGRESS")
_WAY_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
_BEFORE = {
    "PENDING": (),
    "IN_PROGRESS": _WAY[:1],
    "SUCCESSFUL": _WAY,
    "STOP_REQUESTED": _WAY,
    "STOPPED": (*_WAY, "STOP_REQUESTED", "ROLLBACK_REQUESTED"),
    "ROLLBACK_REQUESTED": _WAY,
    "ROLLBACK_IN_PROGRESS": (*_WAY, *_WAY_BACK[:1]),
    "ROLLBACK_SUCCESSFUL": (*_WAY, *_WAY_BACK[:2]),
    "ROLLBACK_FAILED": (*_WAY, *_WAY_BACK[:2]),
}
"""From which statuses a service deployment may yet come to one (ecs-facts 8.4)."""

DEPLOYMENT_STATUSES = tuple(_BEFORE)

ROLLOUT_STATES = {
    "COMPLETED": "SUCCESSFUL or ROLLBACK_SUCCESSFUL",
    "FAILED": "STOPPED, or ROLLBACK_SUCCESSFUL where it was rolled back",
}
"""What `rolloutState` of DescribeServices is there."""


def can_become(status: str, wanted: str) -> bool:
    """Whether a service deployment of this status may yet come to the other one."""
    return status in _BEFORE[wanted]
