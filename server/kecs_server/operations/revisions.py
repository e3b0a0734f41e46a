"""What CreateService and UpdateService want a service's tasks to be (ecs-facts 7.4, 8.5)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.service import Service
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations.registry import Call
from kecs_server.operations.volume_rules import check_volumes

Structure = dict[str, Any]

SETTINGS = (
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
)
"""Members that belong to a revision, and that it gives back as they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a deployment brings about; another target needs another deployment."""

    definition: TaskDefinition
    launch_type: str | None
    strategy: list[Structure]
    platform_version: str | None
    network_configuration: Structure | None
    settings: Structure = field(default_factory=dict)

    @property
    def volume_configurations(self) -> list[Structure]:
        configurations: list[Structure] = self.settings.get("volumeConfigurations", [])
        return configurations

    @classmethod
    def of(cls, deployment: Deployment) -> Target:
        return cls(
            definition=deployment.task_definition,
            launch_type=deployment.launch_type,
            strategy=deployment.capacity_provider_strategy,
            platform_version=deployment.platform_version,
            network_configuration=deployment.network_configuration,
            settings=deployment.settings,
        )

    def deployment(self, now: float, namespace: str | None = None) -> Deployment:
        return Deployment(
            task_definition=self.definition,
            created_at=now,
            updated_at=now,
            launch_type=self.launch_type,
            capacity_provider_strategy=self.strategy,
            platform_version=self.platform_version,
            network_configuration=self.network_configuration,
            settings=self.settings,
            namespace=namespace,
        )


def first_target(
    params: Structure, definition: TaskDefinition, capacity: placement.Capacity
) -> Target:
    """What a new service is to be, of which the rest has been checked.

    :raises PlatformUnknownException, ClientException: the platform version is none.
    """
    return Target(
        definition=definition,
        launch_type=capacity.launch_type,
        strategy=capacity.strategy,
        platform_version=placement.checked_platform(params, capacity),
        network_configuration=params.get("networkConfiguration"),
        settings=_settings(params, {}),
    )


def updated_target(call: Call, cluster: Cluster, service: Service, params: Structure) -> Target:
    """What the service is to be, where `params` say nothing as it is.

    :raises EcsError: what they say is refused.
    """
    current = Target.of(service.primary)
    definition: TaskDefinition = current.definition
    if "taskDefinition" in params:
        definition = lookup.find_usable_definition(call, params["taskDefinition"])
    before = placement.Capacity.of(cluster, current.launch_type, current.strategy)
    capacity = before
    if params.get("capacityProviderStrategy"):
        capacity = placement.chosen_capacity(params, cluster, call.now)
    elif "capacityProviderStrategy" in params:
        # The model: an empty strategy leads back to the launch type.
        capacity = placement.Capacity.of(cluster, before.runs_on, [])
    platform = current.platform_version
    if "platformVersion" in params or capacity.runs_on != before.runs_on:
        platform = placement.checked_platform(params, capacity)
    network = params.get("networkConfiguration", current.network_configuration)
    placement.check_compatible(definition, capacity)
    placement.check_network({"networkConfiguration": network or {}}, definition, capacity)
    placement.check_placement({**service.settings, **params}, definition, capacity)
    placement.check_platform_fits(definition, platform, capacity.strategy)
    target = Target(
        definition=definition,
        launch_type=capacity.launch_type,
        strategy=capacity.strategy,
        platform_version=platform,
        network_configuration=network,
        settings=_settings(params, current.settings),
    )
    check_volumes(
        target.volume_configurations, definition, on_fargate=capacity.is_fargate, of_service=True
    )
    return target


def _settings(params: Structure, current: Structure) -> Structure:
    """An empty list takes away what there was."""
    given = {name: params[name] for name in SETTINGS if name in params}
    return {name: value for name, value in {**current, **given}.items() if value}
