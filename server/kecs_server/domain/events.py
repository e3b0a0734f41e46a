"""What EventBridge is told (ecs-facts 18): events, and the notices of services that become some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

SOURCE = "aws.ecs"

TASK_STATE = "ECS Task State Change"
INSTANCE_STATE = "ECS Container Instance State Change"
SERVICE_ACTION = "ECS Service Action"
DEPLOYMENT_STATE = "ECS Deployment State Change"
"""Detail types."""

INFO = "INFO"
WARN = "WARN"
ERROR = "ERROR"

STEADY_STATE = "SERVICE_STEADY_STATE"
PROVIDER_STEADY_STATE = "CAPACITY_PROVIDER_STEADY_STATE"
TASK_SET_STEADY_STATE = "TASKSET_STEADY_STATE"
COUNT_UPDATED = "SERVICE_DESIRED_COUNT_UPDATED"
TASKS_STOPPED = "TASKS_STOPPED"
REBALANCING_STARTED = "SERVICE_REBALANCING_STARTED"
REBALANCING_COMPLETED = "SERVICE_REBALANCING_COMPLETED"
START_IMPAIRED = "SERVICE_TASK_START_IMPAIRED"
INSTANCE_UNHEALTHY = "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY"
DAEMON_VIOLATED = "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
DISCOVERY_THROTTLED = "SERVICE_DISCOVERY_OPERATION_THROTTLED"
PLACEMENT_FAILURE = "SERVICE_TASK_PLACEMENT_FAILURE"
DEPLOYMENT_IN_PROGRESS = "SERVICE_DEPLOYMENT_IN_PROGRESS"
DEPLOYMENT_COMPLETED = "SERVICE_DEPLOYMENT_COMPLETED"
DEPLOYMENT_FAILED = "SERVICE_DEPLOYMENT_FAILED"

_TYPES = {
    START_IMPAIRED: WARN,
    INSTANCE_UNHEALTHY: WARN,
    DAEMON_VIOLATED: ERROR,
    DISCOVERY_THROTTLED: ERROR,
    PLACEMENT_FAILURE: ERROR,
    DEPLOYMENT_FAILED: ERROR,
}
"""The eventType of each eventName that is not INFO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """As EventBridge gets it; `detail` is JSON text, `at` epoch seconds of the realm's clock."""

    id: str
    at: float
    detail_type: str
    account: str
    region: str
    resources: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something of a service that is to become an event. `more`: members of its detail besides
    eventType, eventName and those that all events of its detail type have.
    """

    detail_type: str
    name: str
    at: float
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event_type(self) -> str:
        return _TYPES.get(self.name, INFO)
