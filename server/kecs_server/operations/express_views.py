"""Express services as their operations answer with them."""

from __future__ import annotations

from typing import Any

from kecs_server.domain import express
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.express import Express
from kecs_server.domain.ingress import PUBLIC
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import Service
from kecs_server.operations.views import timestamp
from kecs_server.operations.views import without_absent

Structure = dict[str, Any]


def express_view(service: Service, own: Express, *, with_tags: bool = True) -> Structure:
    deployments = [] if service.status == INACTIVE else service.deployments
    way = service.current
    return without_absent(
        {
            **_common(service, own),
            "infrastructureRoleArn": own.infrastructure_role_arn,
            "currentDeployment": service.deployment_arn(way) if way else None,
            "activeConfigurations": [_configuration(service, own, each) for each in deployments],
            "tags": service.tags if with_tags else [],
        }
    )


def updated_view(service: Service, own: Express) -> Structure:
    """The form of UpdateExpressGatewayService's answer."""
    return {
        **_common(service, own),
        "targetConfiguration": _configuration(service, own, service.primary),
    }


def _common(service: Service, own: Express) -> Structure:
    return {
        "cluster": service.cluster_arn.rpartition("/")[2],
        "serviceName": service.name,
        "serviceArn": service.arn,
        "status": {"statusCode": service.status},
        "createdAt": timestamp(service.created_at),
        "updatedAt": timestamp(own.updated_at),
    }


def _configuration(service: Service, own: Express, deployment: Deployment) -> Structure:
    definition = deployment.task_definition
    exposure = own.exposure_of(deployment.number)
    network = (deployment.network_configuration or {}).get("awsvpcConfiguration", {})
    is_managed = definition.family == own.family
    return without_absent(
        {
            "serviceRevisionArn": service.revision_arn(deployment),
            "taskDefinitionArn": definition.arn,
            "cpuArchitecture": "X86_64" if is_managed else None,
            **express.members_of(definition),
            "networkConfiguration": {
                member: network[member]
                for member in ("securityGroups", "subnets")
                if member in network
            },
            "healthCheckPath": exposure.health_check_path,
            "scalingTarget": exposure.scaling,
            "ingressPaths": [{"accessType": PUBLIC, "endpoint": own.host_name}],
            "createdAt": timestamp(deployment.created_at),
        }
    )
