"""Gateways, their routes and what they manage, as the Describe and List operations give them."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.gateway import Gateway
from kecs_server.domain.gateway import GatewayRoute
from kecs_server.domain.ingress import LoadBalancer
from kecs_server.operations.views import timestamp

Structure = dict[str, Any]


def gateway_view(gateway: Gateway) -> Structure:
    return {
        "gatewayArn": gateway.arn,
        "name": gateway.name,
        "status": gateway.status,
        "failures": [],
        "infrastructureRoleArn": gateway.infrastructure_role_arn,
        "deletionProtection": gateway.deletion_protection,
        "configuration": {
            "hostSharedAlb": {
                **gateway.configuration,
                "currentAlbCount": len(gateway.balancers),
            }
        },
        "accessType": gateway.access_type,
        "propagateTags": gateway.propagate_tags,
        "tags": gateway.tags,
        "createdAt": timestamp(gateway.created_at),
        "updatedAt": timestamp(gateway.updated_at),
    }


def gateway_answer(gateway: Gateway) -> Structure:
    """What the operations that change a gateway answer."""
    return {"gatewayArn": gateway.arn, "name": gateway.name, "status": gateway.status}


def gateway_summary(gateway: Gateway) -> Structure:
    return {**gateway_answer(gateway), "createdAt": timestamp(gateway.created_at)}


def association_view(gateway: Gateway, cluster_arn: str, status: str) -> Structure:
    return {"gatewayArn": gateway.arn, "clusterArn": cluster_arn, "status": status}


def route_summary(gateway: Gateway, route: GatewayRoute) -> Structure:
    return {
        "gatewayRouteArn": route.arn,
        "gatewayArn": gateway.arn,
        "clusterArn": route.cluster_arn,
        "serviceArn": route.service_arn,
        "serviceContainerPortName": route.port_name,
        "status": route.status,
    }


def route_view(route: GatewayRoute) -> Structure:
    return {
        "gatewayRouteArn": route.arn,
        "serviceArn": route.service_arn,
        "serviceContainerPortName": route.port_name,
        "status": route.status,
        "serviceUrl": route.url,
        "resources": {"hostSharedAlb": _route_resources(route)},
    }


def _route_resources(route: GatewayRoute) -> list[Structure]:
    balancer, backend = route.balancer, route.backend
    if balancer is None or backend is None:
        return []
    return [
        {
            "acmCertificateArn": backend.certificate_arn,
            "loadBalancerArn": balancer.arn,
            "listenerArn": balancer.listener_arn,
            "listenerRuleArn": backend.rule_arn,
            "testListenerRuleArns": [backend.test_rule_arn],
            "loadBalancerSecurityGroups": [
                {
                    "arn": balancer.security_group_arn,
                    "ruleArns": [balancer.security_group_rule_arn],
                }
            ],
            "serviceSecurityGroupArn": backend.security_group_arn,
        }
    ]


def balancer_view(gateway: Gateway, balancer: LoadBalancer) -> Structure:
    return {
        "loadBalancerArn": balancer.arn,
        "listenerArn": balancer.listener_arn,
        "securityGroup": balancer.security_group,
        "gatewayRouteArns": [route.arn for route in gateway.routes_of(balancer)],
    }
