"""Gateways: ingress that services of several clusters share (ecs-2026, the model's words).

Load balancers are records. What takes AWS minutes takes `CHANGE_TIME` of the realm's clock here.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import ClassVar

from kecs_server.domain.ingress import PRIVATE
from kecs_server.domain.ingress import PUBLIC
from kecs_server.domain.ingress import ROUTES_PER_BALANCER
from kecs_server.domain.ingress import Backend
from kecs_server.domain.ingress import LoadBalancer
from kecs_server.domain.ingress import Place
from kecs_server.domain.ingress import new_backend
from kecs_server.domain.ingress import new_load_balancer
from kecs_server.domain.tags import Tags

Structure = dict[str, Any]

ACTIVE = "ACTIVE"
UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
UPDATE_COMPLETE = "UPDATE_COMPLETE"
DELETED = "DELETED"
DISASSOCIATING = "DISASSOCIATING"
CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
CREATE_FAILED = "CREATE_FAILED"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"

CHANGE_TIME = 0.1
"""Seconds that a change of a gateway or of a route takes; minutes on AWS."""

_PREFIX = "ecs-gateway"


@dataclass(slots=True, kw_only=True)
class GatewayRoute:
    """The way from a gateway to one service. `due_at`: when its change is done."""

    arn: str
    cluster_arn: str
    service_arn: str
    port_name: str
    host_name: str
    due_at: float
    status: str = CREATE_IN_PROGRESS
    balancer: LoadBalancer | None = None
    backend: Backend | None = None

    @property
    def url(self) -> str:
        return f"https://{self.host_name}"


@dataclass(slots=True, kw_only=True)
class Gateway:
    """`configuration` is the whole one, defaults filled in. `associations`: status by cluster
    ARN. `due_at`: when its update is done.
    """

    name: str
    arn: str
    place: Place
    infrastructure_role_arn: str
    configuration: Structure
    deletion_protection: bool
    propagate_tags: str
    created_at: float
    updated_at: float
    client_token: str | None
    tags: Tags
    status: str = ACTIVE
    due_at: float | None = None
    associations: dict[str, str] = field(default_factory=dict)
    routes: dict[str, GatewayRoute] = field(default_factory=dict)
    balancers: list[LoadBalancer] = field(default_factory=list)
    news: list[tuple[float, str]] = field(default_factory=list)
    """What happened since the last time somebody looked: (time, text)."""

    kind: ClassVar[str] = "gateway"

    @property
    def access_type(self) -> str:
        return PRIVATE if self.configuration["scheme"] == "internal" else PUBLIC

    def routes_of(self, balancer: LoadBalancer) -> list[GatewayRoute]:
        return [route for route in self.routes.values() if route.balancer is balancer]

    def route_to(self, service_arn: str) -> GatewayRoute | None:
        """The service's route that is there to stay."""
        for route in self.routes.values():
            if route.service_arn == service_arn and route.status != DELETE_IN_PROGRESS:
                return route
        return None

    def change_route(self, route: GatewayRoute, status: str, now: float) -> None:
        """Begin to make, change or delete the route, as the status says."""
        route.status = status
        route.due_at = now + CHANGE_TIME
        self.routes[route.arn] = route
        self.news.append((now, f"route {route.arn} {status}"))


def advance(gateway: Gateway, now: float) -> float | None:
    """Carry out what is due of the gateway.

    :returns: when something is due again.
    """
    if gateway.due_at is not None and gateway.due_at <= now:
        gateway.status = UPDATE_COMPLETE
        gateway.due_at = None
        gateway.news.append((now, gateway.status))
    for route in list(gateway.routes.values()):
        if route.due_at <= now:
            _finish(gateway, route, now)
    gateway.balancers = [each for each in gateway.balancers if gateway.routes_of(each)]
    used = {route.cluster_arn for route in gateway.routes.values()}
    for cluster_arn, status in list(gateway.associations.items()):
        if status == DISASSOCIATING and cluster_arn not in used:
            del gateway.associations[cluster_arn]
    moments = [route.due_at for route in gateway.routes.values() if route.due_at > now]
    return min([*moments, *([gateway.due_at] if gateway.due_at else [])], default=None)


def _finish(gateway: Gateway, route: GatewayRoute, now: float) -> None:
    before = route.status
    if route.status == DELETE_IN_PROGRESS:
        del gateway.routes[route.arn]
        gateway.news.append((now, f"route {route.arn} deleted"))
    elif route.status in (CREATE_IN_PROGRESS, UPDATE_IN_PROGRESS):
        route.balancer = route.balancer or _balancer_with_room(gateway)
        route.status = CREATE_FAILED if route.balancer is None else ACTIVE
    if route.balancer is not None and route.backend is None:
        route.backend = new_backend(gateway.place, route.balancer, _PREFIX)
    if route.status != before:
        gateway.news.append((now, f"route {route.arn} {route.status}"))


def _balancer_with_room(gateway: Gateway) -> LoadBalancer | None:
    """One that the gateway has, else a new one, None if it may have no more."""
    for balancer in gateway.balancers:
        if len(gateway.routes_of(balancer)) < ROUTES_PER_BALANCER:
            return balancer
    if len(gateway.balancers) >= gateway.configuration["maxAlbCount"]:
        return None
    gateway.balancers.append(new_load_balancer(gateway.place, f"{_PREFIX}-alb"))
    return gateway.balancers[-1]
