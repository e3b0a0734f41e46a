"""What a service's load balancers have for listeners, and where each leads (ecs-facts 8.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.domain.stages import WHOLE
from kecs_server.domain.target import group_of

Structure = dict[str, Any]

PRODUCTION = "production"
TEST = "test"

Name = tuple[str, str]
"""Tells a listener: the ARN of the first target group, and whose traffic comes there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The listeners of a service. `weights`: percent by target group, for each listener; `names`:
    the listener by the ARN of a rule or (for production) a target group.
    """

    weights: Mapping[Name, Mapping[str, float]] = field(default_factory=dict)
    names: Mapping[str, Name] = field(default_factory=dict)


def listeners_of(service: Service) -> Plan:
    weights: dict[Name, Mapping[str, float]] = {}
    names: dict[str, Name] = {}
    if service.status == INACTIVE:
        return Plan()
    if service.has_task_sets:
        return _of_task_sets(service)
    for balancer in _balancers(service):
        first = balancer["targetGroupArn"]
        if (first, PRODUCTION) in weights:
            continue
        advanced = balancer.get("advancedConfiguration", {})
        for kind, rule in ((PRODUCTION, "productionListenerRule"), (TEST, "testListenerRule")):
            weights[first, kind] = _weights(service, balancer, kind)
            if rule in advanced:
                names[advanced[rule]] = (first, kind)
        for group in (first, advanced.get("alternateTargetGroupArn", first)):
            names.setdefault(group, (first, PRODUCTION))
    return Plan(weights, names)


def _of_task_sets(service: Service) -> Plan:
    """Whoever deploys by task sets shifts the traffic, too: each target group has listeners of its
    own.
    """
    groups = {balancer["targetGroupArn"] for balancer in _balancers(service)}
    alone = {(group, kind): {group: WHOLE} for group in groups for kind in (PRODUCTION, TEST)}
    return Plan(alone, {group: (group, PRODUCTION) for group in groups})


def _balancers(service: Service) -> Iterator[Structure]:
    """Those of the newest deployment first; older ones may have had others."""
    for deployment in service.in_place:
        for balancer in deployment.settings.get("loadBalancers", ()):
            if "targetGroupArn" in balancer:
                yield balancer


def _weights(service: Service, balancer: Structure, kind: str) -> Mapping[str, float]:
    shares: Counter[str] = Counter()
    for number, share in deploying.weights(service, kind).items():
        revision = service.revisions[number]
        group = group_of(balancer, uses_alternate=revision.uses_alternate)
        if group is not None and share > 0:
            shares[group] += share  # type: ignore[assignment]
    return shares
