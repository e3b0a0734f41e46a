"""Clusters: the record that owns tasks and services (ecs-facts 3)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.service import Service
from kecs_server.domain.tags import Tags
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task

Structure = dict[str, Any]

CLUSTER_RETENTION = 3600.0
"""Seconds that a deleted cluster can still be described. AWS promises no figure."""


@dataclass(slots=True, kw_only=True)
class Cluster:
    name: str
    arn: str
    settings: list[Structure]
    request: Structure
    """The arguments of CreateCluster, to compare a repeated call with."""
    tags: Tags = field(default_factory=list)
    configuration: Structure | None = None
    service_connect_defaults: Structure | None = None
    capacity_providers: list[str] = field(default_factory=list)
    default_strategy: list[Structure] = field(default_factory=list)
    deleted_at: float | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        return self.deleted_at is None

    def is_visible(self, now: float) -> bool:
        return self.deleted_at is None or now - self.deleted_at < CLUSTER_RETENTION

    def running_count(self) -> int:
        return sum(task.last_status == Status.RUNNING for task in self.tasks.values())

    def pending_count(self) -> int:
        return sum(task.last_status < Status.RUNNING for task in self.tasks.values())

    def service_tasks(self, service_name: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.service_name == service_name]
