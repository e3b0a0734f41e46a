"""Services (ecs-facts 7). What they start and stop is the scheduler's business."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain.arns import NAME
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_service import want_all_seats
from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import DAEMON
from kecs_server.domain.service import DRAINING
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import REPLICA
from kecs_server.domain.service import Service
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ServiceNotActiveException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import daemon_service_rules
from kecs_server.operations import discovery
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations import rebalancing
from kecs_server.operations import service_rules as rules
from kecs_server.operations import views
from kecs_server.operations.deployment_rules import checked_configuration
from kecs_server.operations.gateway_connectors import checked_gateways
from kecs_server.operations.gateway_connectors import connect
from kecs_server.operations.paging import page_by_name
from kecs_server.operations.registering import have_hosts
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.revisions import Target
from kecs_server.operations.revisions import first_target
from kecs_server.operations.revisions import updated_target
from kecs_server.operations.service_views import service_view
from kecs_server.operations.volume_rules import check_volumes

Structure = dict[str, Any]

registry = Registry()

_ECHOED = (
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "availabilityZoneRebalancing",
)


@registry.operation("CreateService")
def create_service(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    rules.check_token(params.get("clientToken"))
    existing = cluster.services.get(params["serviceName"])
    if existing is not None and _is_repeated(existing, params):
        return {"service": service_view(existing, cluster)}
    rules.refuse_what_is_to_come(params)
    if "taskDefinition" not in params:
        raise InvalidParameterException("TaskDefinition can not be blank.")
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    if not NAME.match(params["serviceName"]):
        raise InvalidParameterException("Service name contains invalid characters.")
    desired = rules.checked_desired_count(params)
    configuration = checked_configuration(params)
    capacity = placement.chosen_capacity(params, cluster, call.now)
    placement.check_network(params, definition, capacity)
    placement.check_compatible(definition, capacity)
    placement.check_placement(params, definition, capacity)
    target = first_target(params, definition, capacity)
    placement.check_platform_fits(definition, target.platform_version, target.strategy)
    rules.check_links(params, target.settings, definition)
    rules.check_sides(configuration, target.settings)
    namespace = discovery.namespace_for(call, cluster, target.settings)
    connectors = params.get("gatewayConnectors", [])
    gateways = checked_gateways(call, cluster, definition, connectors)
    check_volumes(
        target.volume_configurations, definition, on_fargate=capacity.is_fargate, of_service=True
    )
    balancers = target.settings.get("loadBalancers", ())
    obstacle = rebalancing.obstacle_to(params, configuration, definition, capacity, balancers)
    rebalanced = rebalancing.of_new(params.get(rebalancing.MEMBER), obstacle)
    strategy = rules.checked_strategy_name(params.get("schedulingStrategy"))
    if strategy == DAEMON:
        daemon_service_rules.check_new(
            params, on_fargate=capacity.is_fargate, strategy=capacity.strategy
        )
        daemon_service_rules.check_whole(configuration, target.settings)
    if existing is not None and existing.status != INACTIVE:
        raise InvalidParameterException(
            "Creation of service was not idempotent."
            if existing.status == ACTIVE
            else "Unable to Start a service that is still Draining."
        )
    service = Service(
        name=params["serviceName"],
        arn=call.store.arn(f"service/{cluster.name}/{params['serviceName']}"),
        cluster_arn=cluster.arn,
        created_at=call.now,
        created_by=call.principal,
        desired_count=desired,
        scheduling_strategy=strategy or REPLICA,
        deployment_configuration=configuration,
        request=params,
        settings={
            **{name: params[name] for name in _ECHOED if name in params},
            rebalancing.MEMBER: rebalanced,
        },
        gateway_connectors=connectors,
        tags=checked_tags(params.get("tags")),
        propagate_tags=params.get("propagateTags", "NONE"),
        enable_managed_tags=params.get("enableECSManagedTags", False),
        enable_execute_command=params.get("enableExecuteCommand", False),
        target_groups=call.store.target_groups,
    )
    deploying.begin(service, target.deployment(call.now, namespace), call.now)
    cluster.services[service.name] = service
    call.store.discovery.note(service)
    have_hosts(call, cluster, capacity.runs_on)
    if service.is_daemon:
        cluster.daemon_service_names.add(service.name)
        want_all_seats(cluster, service, call.now)
    connect(call, cluster, service, connectors, gateways)
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


@registry.operation("UpdateService")
def update_service(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    service = lookup.find_service(call, cluster, params["service"])
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    if service.status != ACTIVE:
        raise ServiceNotActiveException
    rules.refuse_what_is_to_come(params)
    if service.is_daemon:
        daemon_service_rules.check_update(params)
    target = updated_target(call, cluster, service, params)
    rules.check_links(params, target.settings, target.definition)
    namespace = discovery.namespace_for(call, cluster, target.settings)
    connectors = params.get("gatewayConnectors", service.gateway_connectors)
    gateways = checked_gateways(call, cluster, target.definition, connectors)
    changes: Structure = {}
    if "desiredCount" in params:
        changes["desired_count"] = rules.checked_new_count(params["desiredCount"])
    if "deploymentConfiguration" in params:
        changes["deployment_configuration"] = checked_configuration(
            params, service.deployment_configuration
        )
    configuration = changes.get("deployment_configuration", service.deployment_configuration)
    rules.check_sides(configuration, target.settings)
    now_on = placement.Capacity.of(cluster, target.launch_type, target.strategy)
    settings = {**service.settings, **params}
    balancers = target.settings.get("loadBalancers", ())
    rebalancing.check(
        settings.get(rebalancing.MEMBER),
        rebalancing.obstacle_to(settings, configuration, target.definition, now_on, balancers),
    )
    if service.is_daemon:
        daemon_service_rules.check_whole(configuration, target.settings)
    for member, attribute in (
        ("propagateTags", "propagate_tags"),
        ("enableECSManagedTags", "enable_managed_tags"),
        ("enableExecuteCommand", "enable_execute_command"),
    ):
        if member in params:
            changes[attribute] = params[member]
    # Nothing is changed before everything was checked.
    for attribute, value in changes.items():
        setattr(service, attribute, value)
    service.want(service.desired_count)
    service.settings.update({name: params[name] for name in _ECHOED if name in params})
    if params.get("forceNewDeployment", False) or target != Target.of(service.primary):
        deploying.begin(service, target.deployment(call.now, namespace), call.now)
        call.store.discovery.note(service)
    service.gateway_connectors = connectors
    connect(call, cluster, service, connectors, gateways)
    service.is_steady = False
    have_hosts(call, cluster, now_on.runs_on)
    if service.is_daemon:
        want_all_seats(cluster, service, call.now)
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


@registry.operation("DeleteService")
def delete_service(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    service = lookup.find_service(call, cluster, params["service"])
    if service is None or service.status == INACTIVE:
        raise ServiceNotFoundException
    if not service.is_daemon and not params.get("force", False):
        _check_stoppable(cluster, service)
    service.status = DRAINING
    service.want(0)
    call.store.discovery.forget(service)
    connect(call, cluster, service, [], [])
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


@registry.operation("DescribeServices")
def describe_services(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    references = params["services"]
    if not references:
        raise InvalidParameterException("Services cannot be empty.")
    if len(references) > 10:
        raise InvalidParameterException("At most 10 services can be described in one call.")
    with_tags = "TAGS" in views.checked_include(params, ("TAGS",))
    services, failures = [], []
    for name in lookup.unique([lookup.service_name(call, cluster, item) for item in references]):
        service = lookup.find_service(call, cluster, name)
        if service is None:
            failures.append(lookup.missing(call.store.arn(f"service/{cluster.name}/{name}")))
        else:
            services.append(service_view(service, cluster, with_tags=with_tags))
    return {"services": services, "failures": failures}


@registry.operation("ListServices")
def list_services(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("cluster"))
    launch_type = params.get("launchType")
    management = params.get("resourceManagementType")
    strategy = rules.checked_strategy_name(params.get("schedulingStrategy"))

    def matching_after(name: str | None) -> Iterator[Service]:
        return (
            service
            for service in cluster.services.after(name)
            if service.status == ACTIVE
            and launch_type in (None, service.primary.launch_type)
            and strategy in (None, service.scheduling_strategy)
            and management in (None, service.resource_management_type)
        )

    shown, token = page_by_name(matching_after, params, default=10)
    return {"serviceArns": [service.arn for service in shown], **token}


def _check_stoppable(cluster: Cluster, service: Service) -> None:
    """:raises InvalidParameterException: the service is to have tasks, or has older ones."""
    if service.desired_count > 0:
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    if _is_exchanging(cluster, service):
        raise InvalidParameterException(
            "The service cannot be stopped while deployments are active."
        )


def _is_exchanging(cluster: Cluster, service: Service) -> bool:
    """Whether older deployments have tasks that nobody has told to stop."""
    return any(
        task.desired_status == "RUNNING" and task.started_by != service.primary.id
        for task in cluster.service_tasks(service.name)
    )


def _is_repeated(existing: Service, params: Structure) -> bool:
    """A create call with the token and the arguments of the one that made the service."""
    has_token = bool(params.get("clientToken"))
    return has_token and existing.status != INACTIVE and existing.request == params
