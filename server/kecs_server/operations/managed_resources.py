"""What ECS manages for a service revision besides its tasks, as DescribeServiceRevisions gives it:
the records of Express services and of gateways.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kecs_server.domain import express
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.express import Express
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.gateway import GatewayRoute
from kecs_server.domain.ingress import PUBLIC
from kecs_server.domain.ingress import Place
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import Service
from kecs_server.operations.views import timestamp

Structure = dict[str, Any]

_METRICS = {
    "AVERAGE_CPU": "ECSServiceAverageCPUUtilization",
    "AVERAGE_MEMORY": "ECSServiceAverageMemoryUtilization",
    "REQUEST_COUNT_PER_TARGET": "ALBRequestCountPerTarget",
}


def managed_resources(
    gateways: Iterable[Gateway], service: Service, revision: Deployment
) -> Structure:
    """The member `ecsManagedResources`, if there is something to say."""
    resources: Structure = {}
    if service.express is not None:
        resources |= _of_express(service, service.express, revision)
    if revision.settings.get("gatewayConnectors") and revision in service.deployments:
        resources["gatewayConnections"] = [
            _connection(gateway, route)
            for gateway in gateways
            for route in gateway.routes.values()
            if route.service_arn == service.arn
        ]
    return {"ecsManagedResources": resources} if resources else {}


def _of_express(service: Service, own: Express, revision: Deployment) -> Structure:
    arn = parse_arn(service.arn)
    assert arn is not None
    place = Place(arn.account, arn.region)
    state = {
        "status": "ACTIVE" if service.status == ACTIVE else "DEPROVISIONING",
        "updatedAt": timestamp(own.updated_at),
    }
    return {
        "ingressPaths": [_ingress_path(own, revision, state)],
        "autoScaling": _scaling(place, "/".join(("service", *arn.parts)), own, revision, state),
        "serviceSecurityGroups": [{**state, "arn": own.backend.security_group_arn}],
        "logGroups": [
            {
                **state,
                "arn": place.arn("logs", f"log-group:{own.log_group}"),
                "logGroupName": own.log_group,
            }
        ],
    }


def _ingress_path(own: Express, revision: Deployment, state: Structure) -> Structure:
    balancer, backend = own.balancer, own.backend
    network = (revision.network_configuration or {}).get("awsvpcConfiguration", {})
    main = express.main_container(revision.task_definition) or {"portMappings": []}
    port = next((each["containerPort"] for each in main["portMappings"]), express.DEFAULT_PORT)
    group = {
        **state,
        "healthCheckPath": own.exposure_of(revision.number).health_check_path,
        "healthCheckPort": port,
        "port": port,
    }
    return {
        "accessType": PUBLIC,
        "endpoint": own.host_name,
        "loadBalancer": {
            **state,
            "arn": balancer.arn,
            "scheme": "internet-facing",
            "subnetIds": network.get("subnets", []),
            "securityGroupIds": [balancer.security_group],
        },
        "loadBalancerSecurityGroups": [{**state, "arn": balancer.security_group_arn}],
        "certificate": {**state, "arn": backend.certificate_arn, "domainName": own.host_name},
        "listener": {**state, "arn": balancer.listener_arn},
        "rule": {**state, "arn": backend.rule_arn},
        "targetGroups": [
            {**group, "arn": backend.target_group_arn},
            {**group, "arn": backend.alternate_target_group_arn},
        ],
    }


def _scaling(
    place: Place, resource: str, own: Express, revision: Deployment, state: Structure
) -> Structure:
    scaling = own.exposure_of(revision.number).scaling
    metric = _METRICS[scaling["autoScalingMetric"]]
    return {
        "scalableTarget": {
            **state,
            "arn": place.arn("application-autoscaling", f"scalable-target/{resource}"),
            "minCapacity": scaling["minTaskCount"],
            "maxCapacity": scaling["maxTaskCount"],
        },
        "applicationAutoScalingPolicies": [
            {
                **state,
                "arn": place.arn("autoscaling", f"scalingPolicy:{resource}:{metric}"),
                "policyType": "TargetTrackingScaling",
                "targetValue": float(scaling["autoScalingTargetValue"]),
                "metric": metric,
            }
        ],
    }


def _connection(gateway: Gateway, route: GatewayRoute) -> Structure:
    return {
        "gatewayArn": gateway.arn,
        "gatewayRouteArn": route.arn,
        "portName": route.port_name,
        "serviceUrl": route.url,
        "accessType": gateway.access_type,
        "status": route.status,
        "resources": {"hostSharedAlb": _connection_resources(route)},
    }


def _connection_resources(route: GatewayRoute) -> list[Structure]:
    balancer, backend = route.balancer, route.backend
    if balancer is None or backend is None:
        return []
    return [
        {
            "acmCertificateArn": backend.certificate_arn,
            "loadBalancerArn": balancer.arn,
            "loadBalancerSecurityGroupArns": [balancer.security_group_arn],
            "listenerArn": balancer.listener_arn,
            "listenerRuleArn": backend.rule_arn,
            "testListenerRuleArn": backend.test_rule_arn,
            "targetGroupArn": backend.target_group_arn,
            "alternateTargetGroupArn": backend.alternate_target_group_arn,
        }
    ]
