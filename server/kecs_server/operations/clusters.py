"""Clusters (ecs-facts 3)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from kecs_server.domain.arns import NAME
from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.cluster_rules import check_configuration
from kecs_server.domain.cluster_rules import checked_settings
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import ClientException
from kecs_server.errors import ClusterContainsCapacityProviderException
from kecs_server.errors import ClusterContainsContainerInstancesException
from kecs_server.errors import ClusterContainsServicesException
from kecs_server.errors import ClusterContainsTasksException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import container_instances
from kecs_server.operations import lookup
from kecs_server.operations import views
from kecs_server.operations.account_settings import insights_of
from kecs_server.operations.capacity import associable
from kecs_server.operations.capacity import checked_strategy
from kecs_server.operations.discovery import namespace_arn
from kecs_server.operations.paging import page_by_name
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()


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
        return {"cluster": views.cluster_view(existing, call.now, whole=True)}
    settings = checked_settings(params.get("settings"))
    tags = checked_tags(params.get("tags"))
    check_configuration(params.get("configuration", {}))
    providers = associable(call, params.get("capacityProviders", []), name)
    _refuse_those_of_others(call, providers)
    strategy = checked_strategy(params.get("defaultCapacityProviderStrategy", []), providers)
    cluster = Cluster(
        name=name,
        arn=call.store.arn(f"cluster/{name}"),
        settings=settings or [{"name": "containerInsights", "value": insights_of(call)}],
        request=request,
        tags=tags,
        configuration=params.get("configuration"),
        service_connect_defaults=_service_connect_defaults(call, params),
        default_strategy=strategy,
    )
    if providers:
        cluster.attach(providers, call.now)
        cluster.is_provisioning = True
    _forget_deleted(call)
    call.store.clusters[name] = cluster
    _keep_name(call, params, cluster.service_connect_defaults)
    return {"cluster": views.cluster_view(cluster, call.now, whole=True), "clusterCount": 1}


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
            found[name] = views.cluster_view(cluster, call.now, include=include)
    return {"clusters": list(found.values()), "failures": list(failures.values())}


@registry.operation("ListClusters")
def list_clusters(call: Call, params: Structure) -> Structure:
    def active_after(name: str | None) -> Iterator[Cluster]:
        return (cluster for cluster in call.store.clusters.after(name) if cluster.is_active)

    shown, token = page_by_name(active_after, params)
    return {"clusterArns": [cluster.arn for cluster in shown], **token}


@registry.operation("UpdateCluster")
def update_cluster(call: Call, params: Structure) -> Structure:
    cluster = _changeable(call, params)
    settings = checked_settings(params.get("settings"))
    check_configuration(params.get("configuration", {}))
    defaults = _service_connect_defaults(call, params)
    if settings:
        cluster.settings = settings
    if "configuration" in params:
        cluster.configuration = params["configuration"]
    if "serviceConnectDefaults" in params:
        cluster.service_connect_defaults = defaults
        _keep_name(call, params, defaults)
    return _updated(call, cluster, "SETTINGS", "CONFIGURATIONS")


@registry.operation("UpdateClusterSettings")
def update_cluster_settings(call: Call, params: Structure) -> Structure:
    cluster = _changeable(call, params)
    cluster.settings = checked_settings(params["settings"]) or cluster.settings
    return _updated(call, cluster, "SETTINGS")


@registry.operation("DeleteCluster")
def delete_cluster(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params["cluster"])
    if cluster.is_active:
        registered = cluster.registered_instances()
        if any(not instance.is_host for instance in registered):
            raise ClusterContainsContainerInstancesException
        # A DRAINING service counts through its tasks only.
        if any(service.status == "ACTIVE" for service in cluster.services.values()):
            raise ClusterContainsServicesException
        if cluster.tasks.live_definitions:
            raise ClusterContainsTasksException
        # Those of others are only associated; its own must be deleted first.
        if any(provider.cluster for provider in cluster.capacity_providers.values()):
            raise ClusterContainsCapacityProviderException
        for service in cluster.services.values():
            service.status = INACTIVE
        for instance in registered:
            # The engine's own host is there for the cluster alone.
            container_instances.deregister(call, cluster, instance)
        cluster.deleted_at = call.now
        _forget_deleted(call)
        call.store.deleted_clusters.append(cluster)
        cluster.daemons.clear()
        for gateway in call.store.gateways.values():
            gateway.associations.pop(cluster.arn, None)
    return {"cluster": views.cluster_view(cluster, call.now), "clusterCount": 0}


def _forget_deleted(call: Call) -> None:
    """Those that nobody can ask for any more are not kept, with what was in them."""
    deleted, clusters = call.store.deleted_clusters, call.store.clusters
    while deleted and not deleted[0].is_visible(call.now):
        cluster = deleted.popleft()
        if clusters.get(cluster.name) is cluster:
            del clusters[cluster.name]


def _changeable(call: Call, params: Structure) -> Cluster:
    cluster = lookup.find_cluster(call, params["cluster"])
    if not cluster.is_active:
        raise ClientException("Cluster was not ACTIVE.")
    return cluster


def _updated(call: Call, cluster: Cluster, *include: str) -> Structure:
    """The answer to an update, which has the attachments too (ecs-facts 3.3)."""
    view = views.cluster_view(cluster, call.now, include=frozenset({*include, "ATTACHMENTS"}))
    return {"cluster": view}


def _service_connect_defaults(call: Call, params: Structure) -> Structure | None:
    defaults = params.get("serviceConnectDefaults")
    arn = namespace_arn(call, defaults) if defaults else None
    return {"namespace": arn} if arn else None


def _keep_name(call: Call, params: Structure, defaults: Structure | None) -> None:
    if defaults is not None:
        given = params["serviceConnectDefaults"]["namespace"]
        call.store.discovery.keep_name(given, defaults["namespace"])


def _refuse_those_of_others(call: Call, providers: Mapping[str, CapacityProvider]) -> None:
    """The model: a new cluster's provider of a group is not associated with another cluster."""
    for cluster in call.store.clusters.values():
        for provider in cluster.capacity_providers.values():
            if cluster.is_active and not provider.is_built_in and provider.name in providers:
                raise InvalidParameterException(
                    f"The capacity provider {provider.name} is already associated with the "
                    f"cluster {cluster.name}."
                )
