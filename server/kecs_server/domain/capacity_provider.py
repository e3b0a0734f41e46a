"""Capacity providers: the record and its life (ecs-facts 11.2).

Nothing is made for a provider here, so its changes are over a moment after they began: what it
reports follows from when that was, and from the test's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.tags import Tags

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"

CHANGE_TIME = 0.1
"""Seconds that a change of a provider, or of a cluster's providers, takes. Minutes on AWS."""

PROVIDER_RETENTION = 3600.0
"""Seconds that a deleted provider can still be described. AWS promises no figure."""

LAUNCH_TYPES = {
    "FARGATE": "FARGATE",
    "FARGATE_SPOT": "FARGATE",
    "EC2_AUTOSCALING": "EC2",
    "MANAGED_INSTANCES": "MANAGED_INSTANCES",
}
"""The launch type of tasks, by the type of their provider."""

SPOT = "FARGATE_SPOT"
BUILT_IN = ("FARGATE", SPOT)
"""Those that exist without being created; their names are their types."""

DEFAULT_GROUP: Structure = {
    "managedScaling": {
        "status": "DISABLED",
        "targetCapacity": 100,
        "minimumScalingStepSize": 1,
        "maximumScalingStepSize": 10_000,
        "instanceWarmupPeriod": 300,
    },
    "managedTerminationProtection": "DISABLED",
    "managedDraining": "ENABLED",
}
"""What an Auto Scaling group's provider has when it is not told otherwise."""


@dataclass(slots=True, kw_only=True)
class CapacityProvider:
    """`settings` is the member of its type in wire form: the group's, or the instances'."""

    name: str
    arn: str
    type: str
    settings: Structure = field(default_factory=dict)
    cluster: str | None = None
    """The name of the one cluster that may use it; only of managed instances."""
    tags: Tags = field(default_factory=list)
    change: str | None = None
    """What began at `changed_at`: CREATE, UPDATE or DELETE."""
    changed_at: float = 0.0
    failure: str | None = None
    """Why the change failed."""

    @property
    def is_built_in(self) -> bool:
        return self.type in BUILT_IN

    @property
    def launch_type(self) -> str:
        """Of the tasks that it runs."""
        return LAUNCH_TYPES[self.type]

    @property
    def scales(self) -> bool:
        """Whether ECS manages the size of its group."""
        scaling = self.settings.get("managedScaling", {})
        return self.type == "EC2_AUTOSCALING" and scaling["status"] == "ENABLED"

    def begin(self, change: str, now: float, *, failure: str | None = None) -> None:
        self.change, self.changed_at, self.failure = change, now, failure

    def is_changing(self, now: float) -> bool:
        return (
            self.change is not None and self.failure is None and now - self.changed_at < CHANGE_TIME
        )

    def status(self, now: float) -> str:
        if self.change == "DELETE" and self.failure is None:
            if not self.is_changing(now):
                return INACTIVE
            return "DEPROVISIONING" if self.type == "MANAGED_INSTANCES" else ACTIVE
        is_made = self.change == "CREATE" and self.is_changing(now)
        return "PROVISIONING" if is_made and self.type == "MANAGED_INSTANCES" else ACTIVE

    def update_status(self, now: float) -> str | None:
        if self.change is None:
            return None
        if self.failure is not None:
            return f"{self.change}_FAILED"
        return f"{self.change}_{'IN_PROGRESS' if self.is_changing(now) else 'COMPLETE'}"

    def is_usable(self, now: float) -> bool:
        """Whether new tasks and clusters can have it."""
        return self.status(now) == ACTIVE and not self.is_leaving

    @property
    def is_leaving(self) -> bool:
        """Whether it is deleted, or on its way to be."""
        return self.change == "DELETE" and self.failure is None

    def is_visible(self, now: float) -> bool:
        return not self.is_leaving or now - self.changed_at < PROVIDER_RETENTION


def built_in(name: str, arn: str) -> CapacityProvider:
    return CapacityProvider(name=name, arn=arn, type=name)
