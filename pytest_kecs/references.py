"""How a test names a task or a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_kecs.task import Task

TaskReference = Task | Mapping[str, Any] | str
ServiceReference = Mapping[str, Any] | str


def task_located(task: TaskReference, cluster: str | None) -> tuple[str, str]:
    """The task's ARN or id, and its cluster: an ARN names it (`.../task/CLUSTER/ID`)."""
    arn = task if isinstance(task, str) else str(task["taskArn"])
    parts = arn.split("/")
    return arn, cluster or (parts[1] if len(parts) == 3 else "default")


def service_located(service: ServiceReference, cluster: str | None) -> tuple[str, str]:
    """The service's name and its cluster."""
    arn = service if isinstance(service, str) else str(service["serviceArn"])
    parts = arn.split("/")
    return parts[-1], cluster or (parts[1] if len(parts) == 3 else "default")
