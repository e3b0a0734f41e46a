"""Deployments of a service: what each puts in place, and how far it has come (ecs-facts 8).

A `Deployment` is what DescribeServices lists, and the service revision of the same number. A
`ServiceDeployment` is the way to one: it brings about its target, or rolls back from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import new_deployment_number
from kecs_server.domain.arns import new_service_deployment_id
from kecs_server.domain.arns import new_uuid
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]

IN_PROGRESS = "IN_PROGRESS"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
"""States of a rollout (ecs-facts 8.1)."""

PENDING = "PENDING"
SUCCESSFUL = "SUCCESSFUL"
STOPPED = "STOPPED"
STOP_REQUESTED = "STOP_REQUESTED"
ROLLBACK_REQUESTED = "ROLLBACK_REQUESTED"
ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
ROLLBACK_FAILED = "ROLLBACK_FAILED"
"""Statuses of a service deployment, beside IN_PROGRESS (ecs-facts 8.4)."""

_ENDED = (SUCCESSFUL, STOPPED, ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED)

ROLLING = "ROLLING"

DEPLOYMENT_RETENTION = 90 * 86400.0
"""Seconds that an ended service deployment can still be described (ecs-facts 8.4)."""

_FEWEST_FAILURES = 3
_MOST_FAILURES = 200
"""Between these the circuit breaker's threshold is kept where it is BOUNDED_PERCENT."""

AWAITING_ACTION = "AWAITING_ACTION"
SUCCEEDED = "SUCCEEDED"
TIMED_OUT = "TIMED_OUT"
"""Statuses of a hook, beside IN_PROGRESS and FAILED (ecs-facts 8.7)."""

PAUSE = "PAUSE"
LAMBDA = "AWS_LAMBDA"
ROLLBACK = "ROLLBACK"
CONTINUE = "CONTINUE"


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A revision of the service, and the tasks that it has; the first of a service's list is
    PRIMARY, the others are ACTIVE.
    """

    number: str = field(default_factory=new_deployment_number)
    task_definition: TaskDefinition
    created_at: float
    updated_at: float
    launch_type: str | None = None
    capacity_provider_strategy: list[Structure] = field(default_factory=list)
    platform_version: str | None = None
    network_configuration: Structure | None = None
    settings: Structure = field(default_factory=dict)
    """Members of the revision that are given back as they came (load balancers, ...)."""
    namespace: str | None = None
    """ARN of the Cloud Map namespace in which Service Connect has it."""
    uses_alternate: bool = False
    """Whether its tasks are in the alternate target groups of its load balancers."""
    desired_count: int = 0
    failed_tasks: int = 0
    """Failures in a row, as DescribeServices has them (ecs-facts 8.1)."""
    failures: int = 0
    """Failures that the circuit breaker counts (ecs-facts 8.2)."""
    has_run: bool = False
    """Whether a task has been RUNNING: from then on no failed start counts for the breaker."""
    healthy_tasks: frozenset[str] = frozenset()
    """Ids of the tasks that were healthy at the last look."""
    rollout_state: str = IN_PROGRESS
    rollout_reason: str = ""
    early_exits: int = 0
    """How often in a row tasks exited soon after they had begun to run."""
    retry_at: float | None = None
    """No task is started before: the last ones failed to start, or exited early."""

    def __post_init__(self) -> None:
        self.rollout_reason = self.rollout_reason or f"ECS deployment {self.id} in progress."

    @property
    def id(self) -> str:
        return f"ecs-svc/{self.number}"

    def note_healthy(self, tasks: Iterable[str]) -> bool:
        """These are the healthy tasks now. One that has become so ends the failures in a row
        (ecs-facts 8.1).

        :returns: whether one has.
        """
        healthy = frozenset(tasks)
        has_new = not healthy <= self.healthy_tasks
        self.healthy_tasks = healthy
        if has_new:
            self.failed_tasks = 0
        return has_new

    def again(self, now: float) -> Deployment:
        """A new deployment of the same things."""
        return Deployment(
            task_definition=self.task_definition,
            created_at=now,
            updated_at=now,
            launch_type=self.launch_type,
            capacity_provider_strategy=self.capacity_provider_strategy,
            platform_version=self.platform_version,
            network_configuration=self.network_configuration,
            settings=self.settings,
            namespace=self.namespace,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a service deployment's life cycle. `weight`: percent of the traffic that the
    stage gives to what is deployed; `bake`: seconds that it lasts at least.
    """

    stage: str
    weight: float | None = None
    bake: float = 0.0


@dataclass(slots=True, kw_only=True)
class HookRun:
    """A life-cycle hook at a stage. Of a Lambda hook `due_at` says when it is to be called, None
    while a call is under way.
    """

    hook: Structure
    stage: str
    expires_at: float
    id: str = field(default_factory=new_uuid)
    status: str = IN_PROGRESS
    due_at: float | None = None

    @property
    def is_pause(self) -> bool:
        return bool(self.hook.get("targetType") == PAUSE)

    @property
    def timeout_action(self) -> str:
        return str(self.hook.get("timeoutConfiguration", {}).get("action", ROLLBACK))

    @property
    def is_open(self) -> bool:
        return self.status in (AWAITING_ACTION, IN_PROGRESS)

    @property
    def has_failed(self) -> bool:
        return self.status == FAILED or (
            self.status == TIMED_OUT and self.timeout_action == ROLLBACK
        )


@dataclass(frozen=True, slots=True)
class Entered:
    """When a stage was entered, and the percents of the traffic that the target then had."""

    at: float
    stage: str
    production_weight: float
    test_weight: float


@dataclass(slots=True, kw_only=True)
class Rollback:
    reason: str
    started_at: float
    to: Deployment


@dataclass(slots=True, kw_only=True)
class ServiceDeployment:
    """The way from `sources` to `target`. `path` are its stages, of which `position` is the one
    that it is in since `entered_at` (None: not yet). The weights are percents of the traffic that
    the target has.
    """

    target: Deployment
    sources: list[Deployment]
    configuration: Structure
    strategy: str
    created_at: float
    updated_at: float
    path: tuple[Step, ...]
    id: str = field(default_factory=new_service_deployment_id)
    position: int = 0
    entered_at: float | None = None
    production_weight: float = 0.0
    test_weight: float = 0.0
    status: str = PENDING
    status_reason: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    rollback: Rollback | None = None
    tripped: bool = False
    """Whether the circuit breaker ended it."""
    ignored_alarms: frozenset[str] = frozenset()
    """Alarms that were in ALARM when it began (ecs-facts 8.3)."""
    triggered_alarms: tuple[str, ...] = ()
    hooks: list[HookRun] = field(default_factory=list)
    step_hooks: list[HookRun] = field(default_factory=list)
    """Those of the stage that it is in; `hooks` are all that there were."""
    entered: list[Entered] = field(default_factory=list)
    """The stages that it has been in."""

    @property
    def goal(self) -> Deployment:
        """What is being brought about now."""
        return self.rollback.to if self.rollback else self.target

    @property
    def step(self) -> Step:
        return self.path[self.position]

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDED

    @property
    def is_side_by_side(self) -> bool:
        """Whether the target is brought up beside the whole source, and traffic shifted."""
        return self.strategy != ROLLING and bool(self.sources)

    def has_reached(self, stage: str) -> bool:
        return any(step.stage == stage for step in self.path[: self.position + 1])

    def is_visible(self, now: float) -> bool:
        ended_at = self.finished_at or self.stopped_at
        return ended_at is None or now - ended_at < DEPLOYMENT_RETENTION

    def end(self, status: str, reason: str | None, now: float) -> None:
        self.status = status
        self.status_reason = reason or self.status_reason
        self.updated_at = now
        if status == STOPPED:
            self.stopped_at = now
        self.finished_at = now


def breaker_threshold(configuration: Structure, desired: int) -> int:
    """How many failures end a deployment (ecs-facts 8.2)."""
    breaker = configuration.get("deploymentCircuitBreaker", {})
    threshold = breaker.get("thresholdConfiguration", {"type": "BOUNDED_PERCENT", "value": 50})
    value = int(threshold["value"])
    if threshold["type"] == "COUNT":
        return value
    share = -(-desired * value // 100)
    if threshold["type"] == "BOUNDED_PERCENT":
        return min(max(share, _FEWEST_FAILURES), _MOST_FAILURES)
    return max(share, 1)
