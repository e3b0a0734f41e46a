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
from kecs_server.domain.task_set import CODE_DEPLOY
from kecs_server.domain.task_set import ECS
from kecs_server.domain.task_set import EXTERNAL
from kecs_server.errors import InvalidParameterException
from kecs_server.errors import ServiceNotActiveException
from kecs_server.errors import ServiceNotFoundException
from kecs_server.operations import controllers
from kecs_server.operations import daemon_service_rules
from kecs_server.operations import discovery
from kecs_server.operations import lookup
from kecs_server.operations import placement
from kecs_server.operations import rebalancing
from kecs_server.operations import service_rules as rules
from kecs_server.operations import views
from kecs_server.operations.deployment_rules import DEFAULTS
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
    controller = controllers.controller_of(params)
    if controller == EXTERNAL:
        return _create_external(call, cluster, params)
    if "taskDefinition" not in params:
        raise InvalidParameterException("TaskDefinition can not be blank.")
    definition = lookup.find_usable_definition(call, params["taskDefinition"])
    _check_name(params["serviceName"])
    desired = rules.checked_desired_count(params)
    configuration = checked_configuration(params)
    capacity = placement.chosen_capacity(params, cluster, call.now)
    placement.check_network(params, definition, capacity)
    placement.check_compatible(definition, capacity)
    placement.check_placement(params, definition, capacity)
    target = first_target(params, definition, capacity)
    placement.check_platform_fits(definition, target.platform_version, target.strategy)
    if controller == CODE_DEPLOY:
        controllers.check_common(params, controller)
        controllers.check_code_deploy(params)
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
    service = _new_service(call, cluster, params, desired, configuration)
    service.scheduling_strategy = strategy or REPLICA
    service.gateway_connectors = connectors
    deployment = target.deployment(call.now, namespace)
    if controller == CODE_DEPLOY:
        service.begin_with(deployment, call.now)
    else:
        service.settings[rebalancing.MEMBER] = rebalanced
        deploying.begin(service, deployment, call.now)
    call.store.discovery.note(service)
    have_hosts(call, cluster, capacity.runs_on)
    if service.is_daemon:
        cluster.daemon_service_names.add(service.name)
        want_all_seats(cluster, service, call.now)
    connect(call, cluster, service, connectors, gateways)
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


def _create_external(call: Call, cluster: Cluster, params: Structure) -> Structure:
    """A service that has no tasks before it has task sets; only its name is required (7.1)."""
    controllers.check_external(params)
    _check_name(params["serviceName"])
    rules.checked_strategy_name(params.get("schedulingStrategy"))
    controllers.check_common(params, EXTERNAL)
    desired = rules.checked_desired_count({"desiredCount": 0, **params})
    placement.check_rules(params)
    rules.check_grace(params.get("healthCheckGracePeriodSeconds"))
    service = _new_service(call, cluster, params, desired, checked_configuration(params))
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


def _check_name(name: str) -> None:
    if not NAME.match(name):
        raise InvalidParameterException("Service name contains invalid characters.")


def _new_service(
    call: Call, cluster: Cluster, params: Structure, desired: int, configuration: Structure
) -> Service:
    """A member of the cluster.

    :raises InvalidParameterException: the name is in use, or the tags are not valid.
    """
    name, controller = params["serviceName"], controllers.controller_of(params)
    existing = cluster.services.get(name)
    if existing is not None and existing.status != INACTIVE:
        raise InvalidParameterException(
            "Creation of service was not idempotent."
            if existing.status == ACTIVE
            else "Unable to Start a service that is still Draining."
        )
    if controller != ECS:
        given = params.get("deploymentConfiguration", {})
        configuration = controllers.reduced(configuration, given)
    cluster.services[name] = service = Service(
        name=name,
        arn=call.store.arn(f"service/{cluster.name}/{name}"),
        cluster_arn=cluster.arn,
        created_at=call.now,
        created_by=call.principal,
        desired_count=desired,
        scheduling_strategy=REPLICA,
        deployment_configuration=configuration,
        request=params,
        controller=controller,
        settings={name: params[name] for name in _ECHOED if name in params},
        tags=checked_tags(params.get("tags")),
        propagate_tags=params.get("propagateTags", "NONE"),
        enable_managed_tags=params.get("enableECSManagedTags", False),
        enable_execute_command=params.get("enableExecuteCommand", False),
        target_groups=call.store.target_groups,
    )
    return service


@registry.operation("UpdateService")
def update_service(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("cluster"))
    service = lookup.find_service(call, cluster, params["service"])
    if service is None:
        raise ServiceNotFoundException("Service not found.")
    if service.status != ACTIVE:
        raise ServiceNotActiveException
    if service.has_task_sets:
        return _update_of_task_sets(call, cluster, service, params)
    controllers.refuse_change(params)
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
    # Nothing is changed before everything was checked.
    _apply(service, params, changes)
    service.want(service.desired_count)
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


def _update_of_task_sets(
    call: Call, cluster: Cluster, service: Service, params: Structure
) -> Structure:
    """What UpdateService can change where task sets say the rest (ecs-facts 8.8)."""
    controllers.check_update(params, service.controller)
    changes: Structure = {}
    if "desiredCount" in params:
        changes["desired_count"] = rules.checked_new_count(params["desiredCount"])
    if "deploymentConfiguration" in params:
        old = service.deployment_configuration
        given = params["deploymentConfiguration"]
        changes["deployment_configuration"] = controllers.reduced(
            checked_configuration(params, {**DEFAULTS, **old}), {**old, **given}
        )
    rules.check_grace(params.get("healthCheckGracePeriodSeconds"))
    placement.check_rules(params)
    for deployment in service.in_place:
        capacity = placement.Capacity.of(
            cluster, deployment.launch_type, deployment.capacity_provider_strategy
        )
        rest = {**service.settings, **params}
        placement.check_placement(rest, deployment.task_definition, capacity)
    _apply(service, params, changes)
    for task_set in service.task_sets:
        task_set.follow(service.desired_count, call.now)
    service.is_steady = False
    call.realm.touch_service(cluster, service)
    return {"service": service_view(service, cluster)}


def _apply(service: Service, params: Structure, changes: Structure) -> None:
    """:param changes: values of the service's attributes."""
    for member, attribute in (
        ("propagateTags", "propagate_tags"),
        ("enableECSManagedTags", "enable_managed_tags"),
        ("enableExecuteCommand", "enable_execute_command"),
    ):
        if member in params:
            changes[attribute] = params[member]
    for attribute, value in changes.items():
        setattr(service, attribute, value)
    service.settings.update({name: params[name] for name in _ECHOED if name in params})


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
    for task_set in service.task_sets:
        task_set.drain(call.now)
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
            and launch_type in (None, _launch_type(service))
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


def _launch_type(service: Service) -> str | None:
    """As the service shows it."""
    return service.foremost.launch_type if service.foremost else "EC2"


def _is_exchanging(cluster: Cluster, service: Service) -> bool:
    """Whether other deployments or task sets than the foremost have tasks that nobody has told to
    stop.
    """
    foremost = service.foremost.id if service.foremost else None
    return any(
        task.desired_status == "RUNNING" and task.started_by != foremost
        for task in cluster.service_tasks(service.name)
    )


def _is_repeated(existing: Service, params: Structure) -> bool:
    """A create call with the token and the arguments of the one that made the service."""
    has_token = bool(params.get("clientToken"))
    return has_token and existing.status != INACTIVE and existing.request == params
