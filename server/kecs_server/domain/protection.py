"""Protection of service tasks from scale-in and deployments (ecs-facts 10)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task

Structure = dict[str, Any]

DEFAULT_MINUTES = 120
MINUTES = range(1, 2880 + 1)


def protect(cluster: Cluster, task: Task, minutes: int | None, now: float) -> Structure | None:
    """Protect the task for so many minutes, or end its protection (None).

    :returns: why not, as an entry of `failures`; None if it was done.
    """
    problem = _problem(cluster, task, minutes, now)
    if problem is not None:
        reason, detail = problem
        return {"arn": task.arn, "reason": reason, "detail": detail}
    task.protected_until = None if minutes is None else now + minutes * 60.0
    text = "not protected any more" if minutes is None else f"protected for {minutes} minutes"
    task.news.append((now, text))
    return None


def _problem(
    cluster: Cluster, task: Task, minutes: int | None, now: float
) -> tuple[str, str] | None:
    service = cluster.services.get(task.service_name or "")
    if service is None:
        return "TASK_NOT_VALID", "The task does not belong to a service."
    if task.last_status != Status.RUNNING or task.desired_status != "RUNNING":
        return "TASK_NOT_VALID", "The task is not running."
    others = [t for t in cluster.service_tasks(service.name) if t is not task]
    protected = sum(other.is_protected(now) and not other.is_stopped for other in others)
    if minutes is not None and protected >= service.desired_count:
        text = "The service would have more protected tasks than its desired count."
        return "DEPLOYMENT_BLOCKED", text
    return None
