"""Beginning a deployment of a service (ecs-facts 7.4, 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kecs_server.domain.arns import new_deployment_number
from kecs_server.domain.service import Deployment
from kecs_server.domain.service import Service
from kecs_server.domain.task_definition import TaskDefinition

Structure = dict[str, Any]

SHOWN_HERE = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
"""Members of a request for a service that its deployments have, and the service itself has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a deployment brings about; another target needs another deployment."""

    definition: TaskDefinition
    launch_type: str | None
    strategy: list[Structure]
    platform_version: str | None
    network_configuration: Structure | None

    @classmethod
    def of(cls, deployment: Deployment) -> Target:
        return cls(
            definition=deployment.task_definition,
            launch_type=deployment.launch_type,
            strategy=deployment.capacity_provider_strategy,
            platform_version=deployment.platform_version,
            network_configuration=deployment.network_configuration,
        )


def begin(service: Service, target: Target, now: float) -> None:
    """Put a new PRIMARY deployment before those that there are."""
    deployment = Deployment(
        number=new_deployment_number(),
        task_definition=target.definition,
        created_at=now,
        updated_at=now,
        launch_type=target.launch_type,
        capacity_provider_strategy=target.strategy,
        platform_version=target.platform_version,
        network_configuration=target.network_configuration,
        settings={name: service.settings[name] for name in SHOWN_HERE if name in service.settings},
        desired_count=service.desired_count,
    )
    deployment.rollout_reason = f"ECS deployment {deployment.id} in progress."
    service.deployments.insert(0, deployment)
    service.want(service.desired_count)
    service.is_steady = False
