"""Clusters: the record that owns tasks and services (ecs-facts 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import new_uuid
from kecs_server.domain.capacity_provider import BUILT_IN
from kecs_server.domain.capacity_provider import CHANGE_TIME
from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.ordered import Ordered
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.tags import Tags
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.tasks import Tasks

Structure = dict[str, Any]

CLUSTER_RETENTION = 3600.0
"""Seconds that a deleted cluster can still be described. AWS promises no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a provider with managed scaling puts between its group and a cluster."""

    id: str
    type: str
    details: dict[str, str]

    @property
    def purpose(self) -> tuple[str, str]:
        """Of one kind there is one for each provider."""
        return self.type, self.details["capacityProviderName"]


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
    capacity_providers: dict[str, CapacityProvider] = field(default_factory=dict)
    """Those associated with it, by name."""
    default_strategy: list[Structure] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    attached_at: float | None = None
    """When providers were last associated; their attachments take a moment."""
    is_provisioning: bool = False
    """Whether the first attachments came with the cluster, which is not ACTIVE before they are."""
    deleted_at: float | None = None
    tasks: Tasks = field(default_factory=Tasks)
    services: Ordered[Service] = field(default_factory=Ordered)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    daemon_service_names: set[str] = field(default_factory=set)
    """Of services that are DAEMON ones, or were when the name was last in use."""
    instances: dict[str, ContainerInstance] = field(default_factory=dict)
    """Those that were deregistered included: an empty one never had any."""
    draining: set[str] = field(default_factory=set)
    """ARNs of those whose status is DRAINING."""

    @property
    def is_active(self) -> bool:
        return self.deleted_at is None

    def is_visible(self, now: float) -> bool:
        return self.deleted_at is None or now - self.deleted_at < CLUSTER_RETENTION

    def is_attaching(self, now: float) -> bool:
        """Whether the attachments of its providers are being made or taken away."""
        return self.attached_at is not None and now - self.attached_at < CHANGE_TIME

    def status(self, now: float) -> str:
        if self.deleted_at is not None:
            is_leaving = bool(self.attachments) and now - self.deleted_at < CHANGE_TIME
            return "DEPROVISIONING" if is_leaving else "INACTIVE"
        is_coming = self.is_provisioning and self.is_attaching(now)
        return "PROVISIONING" if is_coming else "ACTIVE"

    def attach(self, providers: dict[str, CapacityProvider], now: float) -> None:
        """Associate these providers, and no others.

        Attachments of providers that stay are kept; where none come or go, nothing takes time.
        """
        wanted = [item for provider in providers.values() for item in _attachments(provider)]
        kept = [item for item in self.attachments if item.purpose in {w.purpose for w in wanted}]
        new = [item for item in wanted if item.purpose not in {k.purpose for k in kept}]
        self.capacity_providers = providers
        if new or len(kept) < len(self.attachments):
            self.attachments = kept + new
            self.attached_at = now
        elif self.attached_at is None:
            self.attached_at = now - CHANGE_TIME

    def launch_type_of(self, provider: str | None) -> str:
        """The launch type of the tasks that one of its providers runs."""
        known = self.capacity_providers.get(provider or "")
        if known is not None:
            return known.launch_type
        return "FARGATE" if provider in BUILT_IN else "EC2"

    def uses_provider(self, name: str) -> bool:
        """Whether a service or a task that has not ended is on it."""
        return any(
            task.capacity_provider == name and not task.is_stopped for task in self.tasks.values()
        ) or any(
            service.status != INACTIVE
            and any(
                item["capacityProvider"] == name
                for deployment in service.in_place
                for item in deployment.capacity_provider_strategy
            )
            for service in self.services.values()
        )

    def running_count(self) -> int:
        return sum(n for (_, status), n in self.tasks.counts.items() if status == Status.RUNNING)

    def pending_count(self) -> int:
        return sum(n for (_, status), n in self.tasks.counts.items() if status < Status.RUNNING)

    def daemon_tasks(self, daemon_name: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.daemon_name == daemon_name]

    def daemon_services(self) -> Iterator[Service]:
        """The ACTIVE services with a task on each instance, by name."""
        for name in sorted(self.daemon_service_names):
            service = self.services.get(name)
            if service is not None and service.is_daemon and service.status == ACTIVE:
                yield service

    def registered_instances(self) -> list[ContainerInstance]:
        return [each for each in self.instances.values() if each.is_registered]

    def instance_of(self, task: Task) -> ContainerInstance | None:
        """Where the task was placed; None on Fargate."""
        return self.instance_at(task.container_instance_arn)

    def instance_at(self, arn: str | None) -> ContainerInstance | None:
        return self.instances.get((arn or "").rpartition("/")[2])

    def is_drained(self, task: Task) -> bool:
        """Whether the task is to leave its container instance (ecs-facts 12.3)."""
        return task.container_instance_arn in self.draining

    def service_tasks(self, service_name: str) -> list[Task]:
        """In the order of their creation."""
        return list(self.tasks.of_service(service_name))


def _attachments(provider: CapacityProvider) -> list[Attachment]:
    """The scaling policy and, where ECS drains instances, the life cycle hook."""
    if not provider.scales:
        return []
    name = {"capacityProviderName": provider.name}
    identifier = new_uuid()
    policy = {"scalingPolicyName": f"ECSManagedAutoScalingPolicy-{identifier}"}
    made = [Attachment(id=identifier, type="as_policy", details={**name, **policy})]
    if provider.settings["managedDraining"] == "ENABLED":
        hook = {"autoScalingLifecycleHookName": "ecs-managed-draining-termination-hook"}
        made.append(Attachment(id=new_uuid(), type="managed_draining", details={**name, **hook}))
    return made
