"""A service's gateway connectors: what is refused, and the routes that come of them.

From the developer guide's "Connect Amazon ECS services to a gateway": a service gets a route of
each gateway of its cluster that its connector fits. Gateways that are associated or disassociated
later make no difference to it before it is updated.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from kecs_server.domain import gateway as gateways
from kecs_server.domain.arns import new_uuid
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.gateway import GatewayRoute
from kecs_server.domain.ingress import new_host_name
from kecs_server.domain.service import Service
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call

Structure = dict[str, Any]

_HEALTH_RANGES = {
    "healthCheckPort": (1, 65535),
    "healthCheckTimeoutSeconds": (2, 120),
    "healthCheckIntervalSeconds": (5, 300),
    "healthyThresholdCount": (2, 10),
    "unhealthyThresholdCount": (2, 10),
}
"""As Elastic Load Balancing has them."""

_LONGEST_DELAY = 3600


def checked_gateways(
    call: Call, cluster: Cluster, definition: TaskDefinition, connectors: Sequence[Structure]
) -> list[Gateway]:
    """The gateways that a service with these connectors is to have a route of.

    :raises InvalidParameterException: a connector is not valid, or fits no gateway.
    """
    if not connectors:
        return []
    if len(connectors) > 1:
        raise InvalidParameterException("A service can have at most one gateway connector.")
    connector = connectors[0]
    _check(connector, definition)
    associated = [
        gateway
        for gateway in call.store.gateways.values()
        if gateway.associations.get(cluster.arn) == gateways.ACTIVE
    ]
    if not associated:
        raise InvalidParameterException(
            "gatewayConnectors were specified but no gateways are associated with cluster "
            f"{cluster.name}"
        )
    types = connector.get("filters", {}).get("accessTypes", ())
    fitting = [gateway for gateway in associated if not types or gateway.access_type in types]
    if not fitting:
        raise InvalidParameterException(
            f"none of the gateways associated with cluster {cluster.name} match the access types "
            f"[{','.join(types)}]"
        )
    return fitting


def connect(
    call: Call,
    cluster: Cluster,
    service: Service,
    connectors: Sequence[Structure],
    wanted: Iterable[Gateway],
) -> None:
    """Give the service routes of the `wanted` gateways alone."""
    names = {gateway.name for gateway in wanted}
    for gateway in call.store.gateways.values():
        route = gateway.route_to(service.arn)
        if gateway.name in names:
            _lead(call, gateway, route, cluster, service, connectors[0]["portName"])
        elif route is not None:
            gateway.change_route(route, gateways.DELETE_IN_PROGRESS, call.now)
        call.realm.touch_managed(gateway)


def _lead(
    call: Call,
    gateway: Gateway,
    route: GatewayRoute | None,
    cluster: Cluster,
    service: Service,
    port_name: str,
) -> None:
    """Make the route to the service's port, or change the one that there is if need be."""
    if route is None:
        route = GatewayRoute(
            arn=call.store.arn(f"gateway-route/{gateway.name}/{new_uuid()}"),
            cluster_arn=cluster.arn,
            service_arn=service.arn,
            port_name=port_name,
            host_name=new_host_name(service.name, call.region),
            due_at=call.now,
        )
        gateway.change_route(route, gateways.CREATE_IN_PROGRESS, call.now)
    elif route.status == gateways.CREATE_FAILED:
        route.port_name = port_name
        gateway.change_route(route, gateways.CREATE_IN_PROGRESS, call.now)
    elif route.port_name != port_name:
        route.port_name = port_name
        gateway.change_route(route, gateways.UPDATE_IN_PROGRESS, call.now)


def _check(connector: Structure, definition: TaskDefinition) -> None:
    if definition.network_mode != "awsvpc":
        raise InvalidParameterException(
            "gatewayConnectors are only supported with networkMode awsvpc."
        )
    names = {
        mapping.get("name")
        for container in definition.containers
        for mapping in container["portMappings"]
    }
    if connector["portName"] not in names:
        raise InvalidParameterException(
            f"portName({connector['portName']}) does not refer to any named PortMapping in the "
            "container definitions"
        )
    delay = connector.get("deregistrationDelay", {}).get("timeoutSeconds", 0)
    if not 0 <= delay <= _LONGEST_DELAY:
        raise InvalidParameterException(
            "The deregistrationDelay of a gateway connector must be between 0 and "
            f"{_LONGEST_DELAY}."
        )
    _check_health(connector.get("healthCheck", {}))


def _check_health(check: Structure) -> None:
    for member, (lowest, highest) in _HEALTH_RANGES.items():
        if not lowest <= check.get(member, lowest) <= highest:
            raise InvalidParameterException(
                f"The {member} of a gateway connector must be between {lowest} and {highest}."
            )
    if not check.get("healthCheckPath", "/").startswith("/"):
        raise InvalidParameterException(
            "The healthCheckPath of a gateway connector must begin with '/'."
        )
