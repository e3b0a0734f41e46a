"""Task sets: the parts of a service that is deployed by somebody else than ECS (ecs-facts 9)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from fractions import Fraction
from typing import Any

from kecs_server.domain.deployment import Deployment
from kecs_server.domain.tags import Tags

Structure = dict[str, Any]

ECS = "ECS"
CODE_DEPLOY = "CODE_DEPLOY"
EXTERNAL = "EXTERNAL"
"""Deployment controllers: who deploys a service. All but the first do so by task sets."""

PRIMARY = "PRIMARY"
ACTIVE = "ACTIVE"
DRAINING = "DRAINING"

STEADY_STATE = "STEADY_STATE"
STABILIZING = "STABILIZING"

MAX_TASK_SETS = 5
"""Of a service."""


@dataclass(slots=True, kw_only=True)
class TaskSet:
    """What `deployment` puts in place, at `scale` percent of the service's desired count."""

    arn: str
    deployment: Deployment
    scale: float
    status: str = ACTIVE
    external_id: str | None = None
    started_by: str | None = None
    tags: Tags = field(default_factory=list)
    request: Structure = field(default_factory=dict)
    """The arguments of CreateTaskSet, to compare a repeated call with the same token with."""
    updated_at: float
    stability: str = STABILIZING
    stability_at: float
    """When the stability last changed."""

    @property
    def id(self) -> str:
        return self.deployment.id

    @property
    def is_primary(self) -> bool:
        return self.status == PRIMARY

    @property
    def is_draining(self) -> bool:
        return self.status == DRAINING

    @property
    def desired_count(self) -> int:
        """How many tasks it is to have: its share of the service's, rounded up."""
        return self.deployment.desired_count

    def follow(self, service_count: int, now: float) -> None:
        """Have its share of this desired count; one that drains is to have no task."""
        share = 0.0 if self.is_draining else self.scale
        count = math.ceil(Fraction(str(share)) * service_count / 100)
        if count != self.deployment.desired_count:
            self.deployment.desired_count = count
            self.become(STABILIZING, now)

    def become(self, stability: str, now: float) -> bool:
        """:returns: whether it was something else."""
        if stability == self.stability:
            return False
        self.stability = stability
        self.stability_at = now
        return True

    def promote(self, now: float) -> None:
        self._change_status(PRIMARY, now)

    def demote(self, now: float) -> None:
        self._change_status(ACTIVE, now)

    def drain(self, now: float) -> None:
        """It is to have no task, and then to go."""
        if not self.is_draining:
            self._change_status(DRAINING, now)
            self.follow(0, now)

    def _change_status(self, status: str, now: float) -> None:
        self.status = status
        self.updated_at = now
