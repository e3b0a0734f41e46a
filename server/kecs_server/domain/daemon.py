"""Managed daemons: a task on each container instance of their capacity providers (developer guide,
"Amazon ECS Managed Daemons").

A revision is what a daemon was at one time; a deployment is the way from the revisions that there
are to another, or back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import ClassVar

from kecs_server.domain.arns import new_service_deployment_id
from kecs_server.domain.arns import new_uuid
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.tags import Tags

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"

PENDING = "PENDING"
IN_PROGRESS = "IN_PROGRESS"
SUCCESSFUL = "SUCCESSFUL"
STOPPED = "STOPPED"
ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
ROLLBACK_FAILED = "ROLLBACK_FAILED"

_UNDER_WAY = (PENDING, IN_PROGRESS, ROLLBACK_IN_PROGRESS)

LEAST_THRESHOLD = 3
"""Failures that the circuit breaker bears at least, as of services."""

DAEMON_RETENTION = 3600.0
"""Seconds that deployments and revisions of a deleted daemon can still be described."""


@dataclass(slots=True, kw_only=True)
class DaemonRevision:
    """What a daemon was when a deployment began. Never changes."""

    daemon_arn: str
    definition: DaemonTaskDefinition
    providers: tuple[str, ...]
    """ARNs of capacity providers."""
    propagate_tags: str
    enable_managed_tags: bool
    enable_execute_command: bool
    critical: bool
    created_at: float
    id: str = field(default_factory=new_uuid)

    @property
    def arn(self) -> str:
        return f"{self.daemon_arn.replace(':daemon/', ':daemon-revision/', 1)}/{self.id}"

    @property
    def mark(self) -> str:
        """What its tasks are started by."""
        return f"ecs-daemon/{self.id}"


@dataclass(slots=True, kw_only=True)
class Rollback:
    reason: str
    started_at: float
    to: DaemonRevision


@dataclass(slots=True, kw_only=True)
class DaemonDeployment:
    """`target` is None when the daemon is deleted. `baked_at`: when it is over, once all tasks run.
    `threshold`: of the circuit breaker.
    """

    daemon_arn: str
    target: DaemonRevision | None
    sources: list[DaemonRevision]
    configuration: Structure
    created_at: float
    threshold: int = LEAST_THRESHOLD
    status: str = PENDING
    status_reason: str | None = None
    started_at: float | None = None
    stopped_at: float | None = None
    finished_at: float | None = None
    baked_at: float | None = None
    failures: int = 0
    tripped: bool = False
    rollback: Rollback | None = None
    ignored_alarms: frozenset[str] = frozenset()
    triggered_alarms: tuple[str, ...] = ()
    id: str = field(default_factory=new_service_deployment_id)

    @property
    def arn(self) -> str:
        return f"{self.daemon_arn.replace(':daemon/', ':daemon-deployment/', 1)}/{self.id}"

    @property
    def is_under_way(self) -> bool:
        return self.status in _UNDER_WAY

    @property
    def goal(self) -> DaemonRevision | None:
        """The revision that is to be everywhere."""
        return self.rollback.to if self.rollback else self.target

    @property
    def watched_alarms(self) -> list[str]:
        alarms = self.configuration["alarms"]
        return list(alarms["alarmNames"]) if alarms["enable"] else []

    def begin(self, now: float) -> None:
        self.status = IN_PROGRESS
        self.started_at = now

    def succeed(self, now: float) -> None:
        """All instances have the revision that was to be there."""
        has_returned = self.rollback is not None
        self.status = ROLLBACK_SUCCESSFUL if has_returned else SUCCESSFUL
        if not has_returned:
            self.status_reason = "Deployment completed successfully."
        self.finished_at = now

    def stop(self, reason: str, now: float) -> None:
        self.status = STOPPED
        self.status_reason = reason
        self.stopped_at = self.finished_at = now

    def fail(self, reason: str, back_to: DaemonRevision | None, now: float) -> None:
        """Go back to a revision, or stop where there is none; a failed rollback ends."""
        self.baked_at = None
        if self.rollback is not None:
            self.status = ROLLBACK_FAILED
            self.status_reason = reason
            self.stopped_at = self.finished_at = now
        elif back_to is None:
            self.stop(reason, now)
        else:
            self.status = ROLLBACK_IN_PROGRESS
            self.status_reason = reason
            self.rollback = Rollback(reason=reason, started_at=now, to=back_to)
            self.failures = 0


@dataclass(slots=True, kw_only=True)
class Daemon:
    """`last`: the revision that was last deployed with success. `retry_at`: no task is started
    before, since `failures` in a row failed. `lost`: ARNs of the instances on which a task ended
    that was not told to.
    """

    name: str
    arn: str
    cluster_arn: str
    created_at: float
    updated_at: float
    request: Structure
    """The arguments of CreateDaemon, to compare a repeated call with the same token with."""
    tags: Tags
    status: str = ACTIVE
    last: DaemonRevision | None = None
    deployments: list[DaemonDeployment] = field(default_factory=list)
    revisions: dict[str, DaemonRevision] = field(default_factory=dict)
    failures: int = 0
    retry_at: float | None = None
    lost: list[str] = field(default_factory=list)
    deleted_at: float | None = None
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""

    kind: ClassVar[str] = "daemon"

    @property
    def is_there(self) -> bool:
        return self.deleted_at is None

    def is_visible(self, now: float) -> bool:
        return self.deleted_at is None or now - self.deleted_at < DAEMON_RETENTION

    @property
    def deployment(self) -> DaemonDeployment:
        """The newest one."""
        return self.deployments[-1]

    def deploy(self, deployment: DaemonDeployment, now: float) -> None:
        """Put the deployment in the place of one that may be under way."""
        if self.deployments and self.deployment.is_under_way:
            self.deployment.stop("Replaced by a new deployment.", now)
        if deployment.target is not None:
            self.revisions[deployment.target.id] = deployment.target
        self.deployments.append(deployment)
        self.failures, self.retry_at = 0, None
        self.news.append((now, f"deployment {deployment.id} {deployment.status}"))

    def revision_of(self, mark: str | None) -> DaemonRevision | None:
        """The one whose tasks are started by the mark."""
        return self.revisions.get((mark or "").rpartition("/")[2])

    def uses(self, definition: DaemonTaskDefinition) -> bool:
        """Whether the daemon runs it, or may go back to it."""
        return self.is_there and any(
            revision is not None and revision.definition is definition
            for revision in (self.last, self.deployment.target, self.deployment.goal)
        )


def threshold_for(instances: int) -> int:
    return max(LEAST_THRESHOLD, math.ceil(instances / 2))


def at_once(instances: int, drain_percent: float) -> int:
    """Instances that may be without their task at the same time."""
    return max(1, math.floor(instances * drain_percent / 100))
