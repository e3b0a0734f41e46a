"""Services: the records (ecs-facts 7)."""

from __future__ import annotations

from collections import Counter
from collections import deque
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import new_uuid
from kecs_server.domain.deployment import COMPLETED
from kecs_server.domain.deployment import FAILED
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.events import DEPLOYMENT_COMPLETED
from kecs_server.domain.events import DEPLOYMENT_FAILED
from kecs_server.domain.events import DEPLOYMENT_IN_PROGRESS
from kecs_server.domain.events import DEPLOYMENT_STATE
from kecs_server.domain.events import SERVICE_ACTION
from kecs_server.domain.events import Notice
from kecs_server.domain.express import Express
from kecs_server.domain.tags import Tags
from kecs_server.domain.target import Target
from kecs_server.domain.target import TargetGroups
from kecs_server.domain.target import targets_of
from kecs_server.domain.task_set import ECS
from kecs_server.domain.task_set import PRIMARY
from kecs_server.domain.task_set import TaskSet

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
DRAINING = "DRAINING"
INACTIVE = "INACTIVE"

REPLICA = "REPLICA"
DAEMON = "DAEMON"
"""Scheduling strategies."""

ENABLED = "ENABLED"
DISABLED = "DISABLED"
"""Whether Availability Zones are rebalanced."""

STEADY = "has reached a steady state."
"""The event that says so (ecs-facts 7.7)."""

SERVICE_RETENTION = 3600.0
"""Seconds that a deleted service can still be described. AWS promises no figure."""


_ROLLOUTS = {
    IN_PROGRESS: DEPLOYMENT_IN_PROGRESS,
    COMPLETED: DEPLOYMENT_COMPLETED,
    FAILED: DEPLOYMENT_FAILED,
}


@dataclass(slots=True, kw_only=True)
class ServiceEvent:
    id: str
    created_at: float
    message: str


@dataclass(slots=True, kw_only=True)
class Service:
    name: str
    arn: str
    cluster_arn: str
    created_at: float
    created_by: str
    desired_count: int
    scheduling_strategy: str
    deployment_configuration: Structure
    request: Structure
    """The arguments of CreateService, to compare a repeated call with the same token with."""
    settings: Structure
    """Members that are given back as they came (load balancers, placement, ...)."""
    status: str = ACTIVE
    tags: Tags = field(default_factory=list)
    propagate_tags: str = "NONE"
    enable_managed_tags: bool = False
    enable_execute_command: bool = False
    gateway_connectors: list[Structure] = field(default_factory=list)
    controller: str = ECS
    """Who deploys it: of any but ECS it has task sets, and no deployments."""
    task_sets: list[TaskSet] = field(default_factory=list)
    express: Express | None = None
    """What makes it an Express service."""
    deployments: list[Deployment] = field(default_factory=list)
    history: list[ServiceDeployment] = field(default_factory=list)
    """The service deployments, the newest last."""
    revisions: dict[str, Deployment] = field(default_factory=dict)
    """The service revisions by their numbers."""
    last_completed: Deployment | None = None
    """What a deployment that fails is rolled back to."""
    target_groups: TargetGroups = field(default_factory=TargetGroups)
    """Those of its account and region."""
    registrations: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Targets that came and went ("registered" or "deregistered", and the group) since the last
    look.
    """
    events: deque[ServiceEvent] = field(default_factory=lambda: deque(maxlen=100))
    deleted_at: float | None = None
    is_steady: bool = False
    is_rebalancing: bool = False
    arrivals: set[str] = field(default_factory=set)
    """Ids of the tasks that are to take the place of others in another Availability Zone."""
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""
    notices: list[Notice] = field(default_factory=list)
    """What EventBridge is to be told, since the last time somebody looked."""

    @property
    def resource_management_type(self) -> str:
        """Who looks after its load balancer, scaling and so on."""
        return "CUSTOMER" if self.express is None else "ECS"

    @property
    def is_daemon(self) -> bool:
        """Whether it has a task on each container instance, not a number of tasks."""
        return self.scheduling_strategy == DAEMON

    @property
    def group(self) -> str:
        """The group that its tasks are in."""
        return f"service:{self.name}"

    @property
    def primary(self) -> Deployment:
        """Of a service that ECS deploys."""
        return self.deployments[0]

    @property
    def has_task_sets(self) -> bool:
        return self.controller != ECS

    @property
    def foremost(self) -> Deployment | None:
        """What the service shows for its own: the PRIMARY deployment, or what the primary task set
        puts in place; None: no task set is primary.
        """
        if not self.has_task_sets:
            return self.primary
        primary = (each.deployment for each in self.task_sets if each.is_primary)
        return next(primary, None)

    def task_set(self, identifier: str) -> TaskSet | None:
        """:param identifier: `ecs-svc/N`."""
        return next((each for each in self.task_sets if each.id == identifier), None)

    def begin_with(self, deployment: Deployment, now: float) -> None:
        """Have a first task set, the primary one, for all tasks of the service."""
        first = TaskSet(
            arn=f"{self.task_set_prefix}/{deployment.id}",
            deployment=deployment,
            scale=100.0,
            status=PRIMARY,
            updated_at=now,
            stability_at=now,
        )
        first.follow(self.desired_count, now)
        self.task_sets.append(first)

    def make_primary(self, task_set: TaskSet, now: float) -> None:
        """The service shows what it puts in place; the one that was primary is ACTIVE."""
        for each in self.task_sets:
            if each.is_primary and each is not task_set:
                each.demote(now)
        if not task_set.is_primary:
            task_set.promote(now)

    @property
    def in_place(self) -> list[Deployment]:
        """Everything that may have tasks: deployments, or what task sets put in place."""
        return [*self.deployments, *(each.deployment for each in self.task_sets)]

    @property
    def current(self) -> ServiceDeployment | None:
        """The service deployment that is under way."""
        return self.history[-1] if self.history and not self.history[-1].has_ended else None

    @property
    def task_set_prefix(self) -> str:
        """What the ARNs of its task sets begin with, up to their ids."""
        return self.arn.replace(":service/", ":task-set/", 1)

    def revision_arn(self, revision: Deployment) -> str:
        return self._arn_below("service-revision", revision.number)

    def deployment_arn(self, way: ServiceDeployment) -> str:
        return self._arn_below("service-deployment", way.id)

    def _arn_below(self, kind: str, identifier: str) -> str:
        """The service's own with another kind and an id (ecs-facts 2.1)."""
        return f"{self.arn.replace(':service/', f':{kind}/', 1)}/{identifier}"

    @property
    def rebalancing(self) -> str:
        """Whether its tasks are moved to even out zones; one that never had a value has DISABLED
        (ecs-facts 7.8).
        """
        return str(self.settings.get("availabilityZoneRebalancing", DISABLED))

    @property
    def health_grace(self) -> float:
        """Seconds after a task's start in which health checks that fail are ignored."""
        return float(self.settings.get("healthCheckGracePeriodSeconds", 0))

    def targets_of(self, revision: Deployment) -> tuple[Target, ...]:
        """The targets that a task of the revision is to be."""
        return targets_of(
            revision.settings.get("loadBalancers", []),
            self.target_groups,
            revision.number,
            uses_alternate=revision.uses_alternate,
        )

    def want(self, count: int) -> None:
        """Set the desired count; older deployments are to have no task."""
        self.desired_count = count
        for deployment in self.deployments:
            deployment.desired_count = count if deployment is self.primary else 0

    @property
    def forgotten_at(self) -> float | None:
        """When it can no longer be described; None: nobody has deleted it."""
        return None if self.deleted_at is None else self.deleted_at + SERVICE_RETENTION

    def is_visible(self, now: float) -> bool:
        return self.forgotten_at is None or now < self.forgotten_at

    def add_event(self, message: str, now: float, *, of: str | None = None) -> None:
        """Newest first, at most 100 (ecs-facts 7.7). `message` follows `(service X) `.

        :param of: the id of the deployment or task set that it is about.
        """
        text = self._event_text(message, of)
        self.events.appendleft(ServiceEvent(id=new_uuid(), created_at=now, message=text))
        self.news.append((now, text))

    def give_notice(self, name: str, now: float, **more: Any) -> None:
        """A service action event (ecs-facts 18). `more`: what its detail has besides."""
        self.notices.append(Notice(SERVICE_ACTION, name, now, more))

    def give_notice_of(self, deployment: Deployment, now: float, reason: str = "") -> None:
        """A deployment state event: where the rollout is now, and why. What is no failure is a
        service action, too.
        """
        name = _ROLLOUTS[deployment.rollout_state]
        told = {"deploymentId": deployment.id, "reason": reason or deployment.rollout_reason}
        self.notices.append(Notice(DEPLOYMENT_STATE, name, now, told))
        if name != DEPLOYMENT_FAILED:
            self.give_notice(name, now)

    def has_event(self, message: str, since: float, *, of: str | None = None) -> bool:
        text = self._event_text(message, of)
        return any(event.message == text and event.created_at >= since for event in self.events)

    def _event_text(self, message: str, of: str | None) -> str:
        if any(task_set.id == of for task_set in self.task_sets):
            return f"(service {self.name}, taskSet {of}) {message}"
        return f"(service {self.name}) {message}"
