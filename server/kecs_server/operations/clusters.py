"""Clusters (ecs-facts 3)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterContainsServicesException
from kecs_server.errors import ClusterContainsTasksException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations import views
from kecs_server.operations.capacity import checked_providers
from kecs_server.operations.capacity import checked_strategy
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()

DEFAULT_SETTINGS = [{"name": "containerInsights", "value": "disabled"}]

_INSIGHTS = ("enabled", "disabled", "enhanced")


@registry.operation("CreateCluster")
def create_cluster(call: Call, params: Structure) -> Structure:
    name = params.get("clusterName", lookup.DEFAULT_CLUSTER)
    if len(name) > 255:
        raise InvalidParameterException("Cluster name too long.")
    if not NAME.match(name):
        raise InvalidParameterException("Cluster name contains invalid characters.")
    request = {key: value for key, value in params.items() if key != "clusterName"}
    existing = call.store.clusters.get(name)
    if existing is not None and existing.is_active:
        if existing.request != request:
            raise InvalidParameterException(
                "Arguments on this idempotent request are inconsistent with arguments used in "
                "previous request(s)."
            )
        return {"cluster": views.cluster_view(existing, whole=True)}
    providers = checked_providers(params.get("capacityProviders", []))
    cluster = Cluster(
        name=name,
        arn=call.store.arn(f"cluster/{name}"),
        settings=_checked_settings(params.get("settings")) or list(DEFAULT_SETTINGS),
        request=request,
        tags=checked_tags(params.get("tags")),
        configuration=params.get("configuration"),
        service_connect_defaults=params.get("serviceConnectDefaults"),
        capacity_providers=providers,
        default_strategy=checked_strategy(
            params.get("defaultCapacityProviderStrategy", []), providers
        ),
    )
    call.store.clusters[name] = cluster
    return {"cluster": views.cluster_view(cluster, whole=True), "clusterCount": 1}


@registry.operation("DescribeClusters")
def describe_clusters(call: Call, params: Structure) -> Structure:
    references = params.get("clusters") or [lookup.DEFAULT_CLUSTER]
    if len(references) > 100:
        raise InvalidParameterException("At most 100 clusters can be described in one call.")
    include = views.checked_include(
        params, ("ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS")
    )
    found: dict[str, Structure] = {}
    failures: dict[str, Structure] = {}
    for reference in references:
        name = lookup.cluster_name(call, reference)
        cluster = call.store.clusters.get(name)
        if cluster is None or not cluster.is_visible(call.now):
            failures[name] = lookup.missing(call.store.arn(f"cluster/{name}"))
        else:
            found[name] = views.cluster_view(cluster, include=include)
    return {"clusters": list(found.values()), "failures": list(failures.values())}


@registry.operation("ListClusters")
def list_clusters(call: Call, params: Structure) -> Structure:
    arns = [cluster.arn for cluster in call.store.clusters.values() if cluster.is_active]
    shown, token = page(arns, params, key=lambda arn: (arn,))
    return {"clusterArns": shown, **token}


@registry.operation("UpdateCluster")
def update_cluster(call: Call, params: Structure) -> Structure:
    cluster = _changeable(call, params)
    settings = _checked_settings(params.get("settings"))
    if settings:
        cluster.settings = settings
    if "configuration" in params:
        cluster.configuration = params["configuration"]
    if "serviceConnectDefaults" in params:
        cluster.service_connect_defaults = params["serviceConnectDefaults"]
    include = frozenset({"SETTINGS", "CONFIGURATIONS"})
    return {"cluster": {**views.cluster_view(cluster, include=include), "attachments": []}}


@registry.operation("UpdateClusterSettings")
def update_cluster_settings(call: Call, params: Structure) -> Structure:
    cluster = _changeable(call, params)
    cluster.settings = _checked_settings(params["settings"]) or cluster.settings
    include = frozenset({"SETTINGS"})
    return {"cluster": {**views.cluster_view(cluster, include=include), "attachments": []}}


@registry.operation("DeleteCluster")
def delete_cluster(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params["cluster"])
    if cluster.is_active:
        # A DRAINING service counts through its tasks only.
        if any(service.status == "ACTIVE" for service in cluster.services.values()):
            raise ClusterContainsServicesException
        if any(not task.is_stopped for task in cluster.tasks.values()):
            raise ClusterContainsTasksException
        for service in cluster.services.values():
            service.status = INACTIVE
        cluster.deleted_at = call.now
        for gateway in call.store.gateways.values():
            gateway.associations.pop(cluster.arn, None)
    return {"cluster": views.cluster_view(cluster), "clusterCount": 0}


def _changeable(call: Call, params: Structure) -> Cluster:
    cluster = lookup.find_cluster(call, params["cluster"])
    if not cluster.is_active:
        raise ClientException("Cluster was not ACTIVE.")
    return cluster


def _checked_settings(settings: list[Structure] | None) -> list[Structure]:
    for setting in settings or ():
        if setting.get("name") != "containerInsights":
            raise InvalidParameterException("Invalid setting 'name'")
        if setting.get("value") not in _INSIGHTS:
            raise InvalidParameterException("Invalid setting 'value'")
    return list(settings or ())
