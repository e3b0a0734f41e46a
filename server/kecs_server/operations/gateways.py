"""Gateways, their associations with clusters, and their routes to services.

No captures of these operations exist: what they do follows botocore's model and the developer
guide ("Amazon ECS Gateway"). Routes are made by `gateway_connectors.py`, and everything that takes
time by the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain import gateway as gateways
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.gateway import GatewayRoute
from kecs_server.domain.ingress import default_subnets
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import GatewayNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ResourceNotFoundException
from kecs_server.operations import gateway_rules as rules
from kecs_server.operations import gateway_views as views
from kecs_server.operations import lookup
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.roles import check_infrastructure_role

Structure = dict[str, Any]

registry = Registry()

MAX_PER_CLUSTER = 5
MAX_NAMES = 10
MAX_RESOURCES = 20
"""Load balancers in a page of DescribeGatewayResources; 10 unless asked."""


@registry.operation("CreateGateway")
def create_gateway(call: Call, params: Structure) -> Structure:
    token = params.get("clientToken") or None
    rules.check_token(token)
    known = next(
        (each for each in call.store.gateways.values() if each.client_token == token), None
    )
    if token is not None and known is not None:
        return views.gateway_answer(known)
    name = params["name"]
    rules.check_name(name)
    check_infrastructure_role(params["infrastructureRoleArn"])
    configuration = rules.checked_configuration(
        params["configuration"], default_subnets(call.store.place)
    )
    if name in call.store.gateways:
        raise InvalidParameterException(f"A gateway with the name '{name}' already exists.")
    gateway = Gateway(
        name=name,
        arn=call.store.arn(f"gateway/{name}"),
        place=call.store.place,
        infrastructure_role_arn=params["infrastructureRoleArn"],
        configuration=configuration,
        deletion_protection=params.get("deletionProtection", True),
        propagate_tags=params.get("propagateTags", "GATEWAY"),
        created_at=call.now,
        updated_at=call.now,
        client_token=token,
        tags=checked_tags(params.get("tags")),
    )
    call.store.gateways[name] = gateway
    gateway.news.append((call.now, gateway.status))
    call.realm.touch_managed(gateway)
    return views.gateway_answer(gateway)


@registry.operation("UpdateGateway")
def update_gateway(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"])
    changes: Structure = {}
    if "infrastructureRoleArn" in params:
        check_infrastructure_role(params["infrastructureRoleArn"])
        changes["infrastructure_role_arn"] = params["infrastructureRoleArn"]
    if "configuration" in params:
        changes["configuration"] = rules.checked_update(
            params["configuration"], gateway.configuration, len(gateway.balancers)
        )
    if "deletionProtection" in params:
        changes["deletion_protection"] = params["deletionProtection"]
    if "propagateTags" in params:
        changes["propagate_tags"] = params["propagateTags"]
    # Nothing is changed before everything was checked.
    for attribute, value in changes.items():
        setattr(gateway, attribute, value)
    gateway.status = gateways.UPDATE_IN_PROGRESS
    gateway.updated_at = call.now
    gateway.due_at = call.now + gateways.CHANGE_TIME
    gateway.news.append((call.now, gateway.status))
    call.realm.touch_managed(gateway)
    return views.gateway_answer(gateway)


@registry.operation("DeleteGateway")
def delete_gateway(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"])
    if gateway.deletion_protection:
        raise InvalidParameterException(
            f"The gateway '{gateway.name}' cannot be deleted while deletion protection is enabled."
        )
    if gateway.associations:
        raise InvalidParameterException(
            f"The gateway '{gateway.name}' cannot be deleted while it is associated with clusters."
        )
    gateway.status = gateways.DELETED
    gateway.news.append((call.now, gateway.status))
    call.realm.touch_managed(gateway)
    del call.store.gateways[gateway.name]
    return views.gateway_answer(gateway)


@registry.operation("DescribeGateway")
def describe_gateway(call: Call, params: Structure) -> Structure:
    return {"gateway": views.gateway_view(find_gateway(call, params["gateway"]))}


@registry.operation("ListGateways")
def list_gateways(call: Call, params: Structure) -> Structure:
    names = params.get("names", [])
    if len(names) > MAX_NAMES:
        raise InvalidParameterException(f"At most {MAX_NAMES} names can be given.")
    matching = [
        gateway
        for gateway in call.store.gateways.values()
        if (not names or gateway.name in names) and _has_status(gateway.status, params)
    ]
    shown, token = page(matching, params, key=lambda gateway: (gateway.name,))
    return {"gateways": [views.gateway_summary(gateway) for gateway in shown], **token}


@registry.operation("DescribeGatewayResources")
def describe_gateway_resources(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"])
    shown, token = page(
        gateway.balancers,
        params,
        key=lambda balancer: (balancer.arn,),
        default=10,
        most=MAX_RESOURCES,
    )
    resources = [views.balancer_view(gateway, balancer) for balancer in shown]
    return {
        "gatewayResources": {
            "gatewayArn": gateway.arn,
            "resources": {"hostSharedAlb": resources},
        },
        **token,
    }


@registry.operation("AssociateGatewayWithCluster")
def associate_gateway_with_cluster(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"])
    cluster = lookup.find_active_cluster(call, params["cluster"])
    others = [
        each
        for each in call.store.gateways.values()
        if each is not gateway and cluster.arn in each.associations
    ]
    if len(others) >= MAX_PER_CLUSTER:
        raise InvalidParameterException(
            f"A cluster can be associated with at most {MAX_PER_CLUSTER} gateways."
        )
    gateway.associations[cluster.arn] = gateways.ACTIVE
    return views.association_view(gateway, cluster.arn, gateways.ACTIVE)


@registry.operation("DisassociateGatewayFromCluster")
def disassociate_gateway_from_cluster(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"])
    cluster = lookup.find_cluster(call, params["cluster"])
    if cluster.arn not in gateway.associations:
        raise ResourceNotFoundException("The gateway is not associated with the cluster.")
    gateway.associations[cluster.arn] = gateways.DISASSOCIATING
    call.realm.touch_managed(gateway)
    return views.association_view(gateway, cluster.arn, gateways.DISASSOCIATING)


@registry.operation("ListGatewayClusterAssociations")
def list_gateway_cluster_associations(call: Call, params: Structure) -> Structure:
    name = gateway_name(call, params["gateway"]) if params.get("gateway") else None
    cluster_arn = _cluster_arn(call, params)
    matching = [
        (gateway, arn, status)
        for gateway in call.store.gateways.values()
        for arn, status in gateway.associations.items()
        if name in (None, gateway.name)
        and cluster_arn in (None, arn)
        and _has_status(status, params)
    ]
    shown, token = page(matching, params, key=lambda each: (each[0].name, each[1]))
    found = [views.association_view(*each) for each in shown]
    return {"gatewayClusterAssociations": found, **token}


@registry.operation("ListGatewayRoutes")
def list_gateway_routes(call: Call, params: Structure) -> Structure:
    gateway = find_gateway(call, params["gateway"]) if params.get("gateway") else None
    cluster_arn = _cluster_arn(call, params)
    service = params.get("service", "")
    if service.startswith("arn:"):
        lookup.own_parts(call, service, "service")
    matching = [
        (owner, route)
        for owner, route in _all_routes(call)
        if gateway in (None, owner)
        and cluster_arn in (None, route.cluster_arn)
        and service in ("", route.service_arn, route.service_arn.rpartition("/")[2])
        and params.get("serviceContainerPortName") in (None, route.port_name)
        and _has_status(route.status, params)
    ]
    shown, token = page(matching, params, key=lambda each: (each[1].arn,))
    return {"gatewayRoutes": [views.route_summary(*each) for each in shown], **token}


@registry.operation("DescribeGatewayRoute")
def describe_gateway_route(call: Call, params: Structure) -> Structure:
    arn = params["gatewayRouteArn"]
    lookup.own_parts(call, arn, "gateway-route")
    for _, route in _all_routes(call):
        if route.arn == arn:
            return {"gatewayRoute": views.route_view(route)}
    raise ResourceNotFoundException("The specified gateway route was not found.")


def gateway_name(call: Call, reference: str) -> str:
    """:raises InvalidParameterException: an ARN of another account, region or kind."""
    if not reference.startswith("arn:"):
        return reference
    return lookup.own_parts(call, reference, "gateway")[0]


def find_gateway(call: Call, reference: str) -> Gateway:
    """:raises GatewayNotFoundException: there is none with this name or ARN."""
    gateway = call.store.gateways.get(gateway_name(call, reference))
    if gateway is None:
        raise GatewayNotFoundException
    return gateway


def _all_routes(call: Call) -> Iterator[tuple[Gateway, GatewayRoute]]:
    for gateway in call.store.gateways.values():
        for route in gateway.routes.values():
            yield gateway, route


def _cluster_arn(call: Call, params: Structure) -> str | None:
    if not params.get("cluster"):
        return None
    return call.store.arn(f"cluster/{lookup.cluster_name(call, params['cluster'])}")


def _has_status(status: str, params: Structure) -> bool:
    wanted = params.get("status")
    return not wanted or status in wanted
