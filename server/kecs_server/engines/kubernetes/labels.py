"""How what belongs to an environment, and to a task of it, is named in a cluster."""

from __future__ import annotations

from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.names import dns_label

MANAGED_BY = {"app.kubernetes.io/managed-by": "pytest-kecs"}
ENVIRONMENT_LABEL = "kecs/environment"
TASK_LABEL = "kecs/task-id"


def environment_labels(environment: str) -> dict[str, str]:
    """Labels of everything in a cluster that belongs to an environment."""
    return {**MANAGED_BY, ENVIRONMENT_LABEL: environment}


def environment_selector(environment: str) -> str:
    return ",".join(f"{key}={value}" for key, value in environment_labels(environment).items())


def pod_name(spec: TaskSpec) -> str:
    """Of the task's Pod, and of its Secret."""
    return f"{dns_label(spec.family, limit=30)}-{spec.task_id}"
