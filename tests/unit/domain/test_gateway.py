"""A gateway's routes and the load balancers that it has for them."""

from __future__ import annotations

from kecs_server.domain.gateway import ACTIVE
from kecs_server.domain.gateway import CHANGE_TIME
from kecs_server.domain.gateway import CREATE_FAILED
from kecs_server.domain.gateway import CREATE_IN_PROGRESS
from kecs_server.domain.gateway import DELETE_IN_PROGRESS
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.gateway import GatewayRoute
from kecs_server.domain.gateway import advance
from kecs_server.domain.ingress import ROUTES_PER_BALANCER
from kecs_server.domain.ingress import Place

PLACE = Place("123456789012", "us-east-1")


def gateway_with(routes: int, *, most: int) -> Gateway:
    """A gateway that was to make so many routes at 0."""
    gateway = Gateway(
        name="g",
        arn="arn",
        place=PLACE,
        infrastructure_role_arn="role",
        configuration={"scheme": "internal", "maxAlbCount": most},
        deletion_protection=True,
        propagate_tags="NONE",
        created_at=0,
        updated_at=0,
        client_token=None,
        tags=[],
    )
    for number in range(routes):
        route = GatewayRoute(
            arn=str(number),
            cluster_arn="c",
            service_arn=f"s{number}",
            port_name="web",
            host_name="x",
            due_at=0,
        )
        gateway.change_route(route, CREATE_IN_PROGRESS, 0)
    return gateway


def statuses(gateway: Gateway) -> list[str]:
    return [route.status for route in gateway.routes.values()]


def test_a_route_is_made_when_its_time_has_come() -> None:
    gateway = gateway_with(1, most=1)
    assert advance(gateway, 0) == CHANGE_TIME
    assert statuses(gateway) == [CREATE_IN_PROGRESS]
    assert advance(gateway, CHANGE_TIME) is None
    assert statuses(gateway) == [ACTIVE]


def test_load_balancers_are_shared_and_go_with_their_last_route() -> None:
    gateway = gateway_with(ROUTES_PER_BALANCER + 1, most=2)
    advance(gateway, 1)
    assert [len(gateway.routes_of(each)) for each in gateway.balancers] == [ROUTES_PER_BALANCER, 1]
    last = gateway.routes[str(ROUTES_PER_BALANCER)]
    gateway.change_route(last, DELETE_IN_PROGRESS, 1)
    advance(gateway, 2)
    assert len(gateway.balancers) == 1
    assert last.arn not in gateway.routes


def test_no_more_load_balancers_than_allowed_are_made() -> None:
    gateway = gateway_with(ROUTES_PER_BALANCER + 1, most=1)
    advance(gateway, 1)
    assert statuses(gateway).count(ACTIVE) == ROUTES_PER_BALANCER
    assert statuses(gateway)[-1] == CREATE_FAILED
    assert len(gateway.balancers) == 1
