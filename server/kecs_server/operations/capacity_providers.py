"""Capacity providers, and the clusters that have them (ecs-facts 3.4, 11.2)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.provider_rules import check_instances
from kecs_server.domain.provider_rules import check_name
from kecs_server.domain.provider_rules import checked_group
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ResourceInUseException
from kecs_server.errors import UpdateInProgressException
from kecs_server.operations import lookup
from kecs_server.operations import views
from kecs_server.operations.capacity import associable
from kecs_server.operations.capacity import checked_strategy
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.roles import check_infrastructure_role

Structure = dict[str, Any]

registry = Registry()

MAX_PAGE = 10
MAX_DESCRIBED = 100

_UNKNOWN = (
    "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
)


@registry.operation("CreateCapacityProvider")
def create_capacity_provider(call: Call, params: Structure) -> Structure:
    name = params["name"]
    check_name(name)
    group = params.get("autoScalingGroupProvider")
    instances = params.get("managedInstancesProvider")
    if (group is None) == (instances is None):
        raise InvalidParameterException(
            "Specify either an autoScalingGroupProvider or a managedInstancesProvider."
        )
    known = call.store.capacity_providers.get(name)
    if known is not None and known.status(call.now) != "INACTIVE":
        raise ClientException(
            "The specified capacity provider already exists. To change the configuration of an "
            "existing capacity provider, update the capacity provider."
        )
    provider = CapacityProvider(
        name=name,
        arn=call.store.arn(f"capacity-provider/{name}"),
        type="EC2_AUTOSCALING" if group is not None else "MANAGED_INSTANCES",
        tags=checked_tags(params.get("tags")),
    )
    if instances is None:
        if "cluster" in params:
            raise InvalidParameterException(
                "A cluster is only for the provider of managed instances."
            )
        assert group is not None
        provider.settings = checked_group(group)
        _refuse_used_group(call, provider)
    else:
        cluster = _own_cluster(call, params)
        check_infrastructure_role(instances["infrastructureRoleArn"])
        check_instances(instances)
        provider.settings, provider.cluster = _filled_instances(instances), cluster.name
        provider.begin("CREATE", call.now)
        cluster.attach({**cluster.capacity_providers, name: provider}, call.now)
    call.store.capacity_providers[name] = provider
    return {"capacityProvider": views.capacity_provider_view(provider, call.now)}


@registry.operation("DescribeCapacityProviders")
def describe_capacity_providers(call: Call, params: Structure) -> Structure:
    with_tags = "TAGS" in views.checked_include(params, ("TAGS",))
    references = params.get("capacityProviders", [])
    if len(references) > MAX_DESCRIBED:
        raise InvalidParameterException(
            f"At most {MAX_DESCRIBED} capacity providers can be described in one call."
        )
    known = call.store.capacity_providers
    if "cluster" in params:
        known = lookup.find_cluster(call, params["cluster"]).capacity_providers
    failures = []
    if references:
        found = {}
        for name in lookup.unique([_name(call, reference) for reference in references]):
            provider = known.get(name)
            if provider is None or not provider.is_visible(call.now):
                # On the first page, and not on every one.
                if params.get("nextToken"):
                    continue
                arn = call.store.arn(f"capacity-provider/{name}")
                failures.append(lookup.missing(arn))
            else:
                found[name] = provider
    else:
        found = {
            name: provider
            for name, provider in known.items()
            if provider.status(call.now) != "INACTIVE"
            and ("cluster" in params or provider.cluster is None)
        }
    shown, token = page(
        found.values(),
        params,
        key=lambda provider: (provider.name,),
        most=MAX_PAGE,
    )
    described = [
        views.capacity_provider_view(provider, call.now, with_tags=with_tags) for provider in shown
    ]
    return {"capacityProviders": described, "failures": failures, **token}


@registry.operation("UpdateCapacityProvider")
def update_capacity_provider(call: Call, params: Structure) -> Structure:
    provider = _changeable(call, params["name"], params)
    group = params.get("autoScalingGroupProvider")
    instances = params.get("managedInstancesProvider")
    is_group = provider.type == "EC2_AUTOSCALING"
    if (instances if is_group else group) is not None or (group is None and instances is None):
        wanted = "an autoScalingGroupProvider" if is_group else "a managedInstancesProvider"
        raise InvalidParameterException(f"Specify {wanted} to update this capacity provider.")
    if group is not None:
        provider.settings = checked_group(group, provider.settings)
    else:
        assert instances is not None
        old = provider.settings
        template = {**old["instanceLaunchTemplate"], **instances["instanceLaunchTemplate"]}
        settings = {**old, **instances, "instanceLaunchTemplate": template}
        check_infrastructure_role(settings["infrastructureRoleArn"])
        check_instances(settings)
        provider.settings = settings
    provider.begin("UPDATE", call.now)
    for cluster in _clusters_with(call, provider):
        cluster.attach(cluster.capacity_providers, call.now)
    return {"capacityProvider": views.capacity_provider_view(provider, call.now)}


@registry.operation("DeleteCapacityProvider")
def delete_capacity_provider(call: Call, params: Structure) -> Structure:
    provider = _changeable(call, _name(call, params["capacityProvider"]), params)
    users = _clusters_with(call, provider)
    failure = None
    if provider.cluster is None and users:
        failure = (
            "The capacity provider cannot be deleted because it is associated with cluster: "
            f"{users[0].name}. Remove the capacity provider from the cluster and try again."
        )
    elif any(cluster.uses_provider(provider.name) for cluster in users):
        raise ClientException(
            "The capacity provider cannot be deleted because it is associated with a service or "
            "has running tasks."
        )
    provider.begin("DELETE", call.now, failure=failure)
    if failure is None:
        for cluster in users:
            kept = {k: v for k, v in cluster.capacity_providers.items() if v is not provider}
            cluster.attach(kept, call.now)
            cluster.default_strategy = [
                item
                for item in cluster.default_strategy
                if item["capacityProvider"] != provider.name
            ]
    return {"capacityProvider": views.capacity_provider_view(provider, call.now)}


@registry.operation("PutClusterCapacityProviders")
def put_cluster_capacity_providers(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params["cluster"])
    if not cluster.is_active:
        raise ClientException("Cluster was not ACTIVE.")
    if cluster.is_attaching(call.now):
        raise UpdateInProgressException(
            "The specified cluster is in a busy state. Cluster attachments must be in "
            "UPDATE_COMPLETE or UPDATE_FAILED state before they can be updated. Wait and try "
            "again."
        )
    own = {k: v for k, v in cluster.capacity_providers.items() if v.cluster is not None}
    providers = associable(call, params["capacityProviders"], cluster.name) | own
    strategy = checked_strategy(params["defaultCapacityProviderStrategy"], providers)
    for name in cluster.capacity_providers.keys() - providers.keys():
        if cluster.uses_provider(name):
            raise ResourceInUseException(
                "The specified capacity provider is in use and cannot be removed."
            )
    cluster.attach(providers, call.now)
    cluster.default_strategy = strategy
    include = frozenset({"ATTACHMENTS", "SETTINGS", "CONFIGURATIONS"})
    return {"cluster": views.cluster_view(cluster, call.now, include=include)}


def _name(call: Call, reference: str) -> str:
    """:raises InvalidParameterException: an ARN of another account, region or kind."""
    if not reference.startswith("arn:"):
        return reference
    return lookup.own_parts(call, reference, "capacity-provider")[-1]


def _changeable(call: Call, name: str, params: Structure) -> CapacityProvider:
    """:raises EcsError: there is none of the name, it is ECS's own, or it is being changed."""
    provider = call.store.capacity_providers.get(name)
    if "cluster" in params:
        cluster = lookup.find_cluster(call, params["cluster"])
        if provider is not None and provider.cluster not in (None, cluster.name):
            provider = None
    if provider is None or provider.status(call.now) == "INACTIVE":
        raise ClientException(_UNKNOWN)
    if provider.is_built_in:
        raise ClientException(
            f"The capacity provider {name} is reserved. It cannot be changed or deleted."
        )
    if provider.is_changing(call.now):
        raise UpdateInProgressException(
            "The specified capacity provider is in a busy state. Wait until its update is "
            "complete and try again."
        )
    return provider


def _own_cluster(call: Call, params: Structure) -> Cluster:
    """The cluster whose own a provider of managed instances is."""
    if "cluster" not in params:
        raise InvalidParameterException(
            "A provider of managed instances needs a cluster. Specify one and try again."
        )
    cluster = lookup.find_cluster(call, params["cluster"])
    if not cluster.is_active:
        raise ClusterNotFoundException("The referenced cluster was inactive.")
    return cluster


def _filled_instances(settings: Structure) -> Structure:
    """With the defaults that the model names."""
    template = {
        "monitoring": "BASIC",
        "capacityOptionType": "ON_DEMAND",
        "instanceMetadataTagsPropagation": True,
        **settings["instanceLaunchTemplate"],
    }
    return {"propagateTags": "NONE", **settings, "instanceLaunchTemplate": template}


def _refuse_used_group(call: Call, new: CapacityProvider) -> None:
    group = new.settings["autoScalingGroupArn"]
    for other in call.store.capacity_providers.values():
        is_there = other.status(call.now) != "INACTIVE"
        if is_there and other.settings.get("autoScalingGroupArn") == group:
            raise ClientException(
                "The specified Auto Scaling group ARN is already being used by another capacity "
                "provider. Specify a unique Auto Scaling group ARN and try again."
            )


def _clusters_with(call: Call, provider: CapacityProvider) -> list[Cluster]:
    return [
        cluster
        for cluster in call.store.clusters.values()
        if cluster.is_active and cluster.capacity_providers.get(provider.name) is provider
    ]
