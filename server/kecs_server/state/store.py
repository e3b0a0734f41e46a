"""What one account has in one region."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.arns import ecs_arn
from kecs_server.domain.capacity_provider import BUILT_IN
from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.capacity_provider import built_in
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.ingress import Place
from kecs_server.domain.ordered import Ordered
from kecs_server.domain.target import TargetGroups
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.state.discovery import Discovery

Structure = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class TokenUse:
    """A client token that RunTask has seen: its request, and the tasks that came of it."""

    request: Structure
    cluster: str
    task_ids: list[str]
    failures: list[Structure]
    used_at: float


@dataclass(slots=True, kw_only=True)
class Store:
    """Collections of one (account, region). Revisions stay in `families` for ever, so that their
    numbers are never used again: they are 1, 2, 3 and so on.
    """

    account: str
    region: str
    clusters: Ordered[Cluster] = field(default_factory=Ordered)
    deleted_clusters: deque[Cluster] = field(default_factory=deque)
    """The first to be deleted is first; another may have its name now."""
    families: Ordered[dict[int, TaskDefinition]] = field(default_factory=Ordered)
    run_tokens: dict[str, TokenUse] = field(default_factory=dict)
    daemon_families: dict[str, dict[int, DaemonTaskDefinition]] = field(default_factory=dict)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    capacity_providers: dict[str, CapacityProvider] = field(default_factory=dict)
    target_groups: TargetGroups = field(default_factory=TargetGroups)
    account_settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Values by name, by the ARN of the principal."""
    discovery: Discovery = field(default_factory=Discovery)

    def __post_init__(self) -> None:
        for name in BUILT_IN:
            provider = built_in(name, self.arn(f"capacity-provider/{name}"))
            self.capacity_providers[name] = provider

    @property
    def place(self) -> Place:
        return Place(self.account, self.region)

    def arn(self, resource: str) -> str:
        return ecs_arn(self.region, self.account, resource)
