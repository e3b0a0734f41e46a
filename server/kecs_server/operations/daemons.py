"""Managed daemons (the model's words; developer guide, "Creating and managing daemons").

No captures of these operations exist. What a daemon starts and stops is the scheduler's business.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import ACTIVE
from kecs_server.domain.daemon import DELETE_IN_PROGRESS
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon import DaemonDeployment
from kecs_server.domain.daemon import DaemonRevision
from kecs_server.domain.daemon import threshold_for
from kecs_server.domain.daemon_task_definition import COMPATIBILITY
from kecs_server.domain.seats import seats
from kecs_server.domain.tags import checked_tags
from kecs_server.errors import DaemonNotActiveException
from kecs_server.errors import DaemonNotFoundException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import daemon_rules as rules
from kecs_server.operations import daemon_views as views
from kecs_server.operations import lookup
from kecs_server.operations.paging import page
from kecs_server.operations.registering import have_hosts
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry

Structure = dict[str, Any]

registry = Registry()


@registry.operation("CreateDaemon")
def create_daemon(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params.get("clusterArn"))
    rules.check_token(params.get("clientToken", ""))
    name = params["daemonName"]
    existing = cluster.daemons.get(name)
    if existing is not None and _is_repeated(existing, params):
        return views.daemon_answer(existing)
    rules.check_name(name)
    arn = call.store.arn(f"daemon/{cluster.name}/{name}")
    revision = rules.new_revision(call, cluster, arn, params)
    configuration = rules.checked_configuration(params.get("deploymentConfiguration", {}))
    tags = checked_tags(params.get("tags"))
    if existing is not None and existing.is_there:
        raise InvalidParameterException(
            "Creation of daemon was not idempotent."
            if existing.status == ACTIVE
            else "Unable to create a daemon that is still being deleted."
        )
    daemon = Daemon(
        name=name,
        arn=arn,
        cluster_arn=cluster.arn,
        created_at=call.now,
        updated_at=call.now,
        request=params,
        tags=tags,
    )
    _deploy(call, cluster, daemon, revision, configuration)
    cluster.daemons[name] = daemon
    call.realm.touch_managed(daemon)
    return views.daemon_answer(daemon)


@registry.operation("UpdateDaemon")
def update_daemon(call: Call, params: Structure) -> Structure:
    cluster, daemon = _find_active(call, params["daemonArn"])
    revision = rules.new_revision(call, cluster, daemon.arn, params)
    configuration = rules.checked_configuration(params.get("deploymentConfiguration", {}))
    daemon.updated_at = call.now
    _deploy(call, cluster, daemon, revision, configuration)
    call.realm.touch_managed(daemon)
    return views.daemon_answer(daemon, whole=True)


@registry.operation("DeleteDaemon")
def delete_daemon(call: Call, params: Structure) -> Structure:
    cluster, daemon = _find_active(call, params["daemonArn"])
    daemon.status = DELETE_IN_PROGRESS
    daemon.updated_at = call.now
    _deploy(call, cluster, daemon, None, rules.checked_configuration({}))
    call.realm.touch_managed(daemon)
    return views.daemon_answer(daemon, whole=True)


@registry.operation("DescribeDaemon")
def describe_daemon(call: Call, params: Structure) -> Structure:
    cluster, daemon = _find(call, params["daemonArn"])
    return {"daemon": views.daemon_view(cluster, daemon)}


@registry.operation("ListDaemons")
def list_daemons(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_cluster(call, params.get("clusterArn"))
    providers = params.get("capacityProviderArns", [])
    for provider in providers:
        lookup.own_parts(call, provider, "capacity-provider")
    matching = [
        daemon
        for daemon in cluster.daemons.values()
        if daemon.is_there and (not providers or _has_one_of(daemon, providers))
    ]
    shown, token = page(matching, params, key=lambda daemon: (daemon.name,))
    return {"daemonSummariesList": [views.daemon_summary(daemon) for daemon in shown], **token}


def find_daemon(call: Call, arn: str) -> Daemon:
    """:raises DaemonNotFoundException: there is none with this ARN."""
    return _find(call, arn)[1]


def _find(call: Call, arn: str) -> tuple[Cluster, Daemon]:
    parts = lookup.own_parts(call, arn, "daemon")
    if len(parts) != 2:
        raise InvalidParameterException("Invalid arn syntax.")
    cluster = lookup.find_cluster(call, parts[0])
    daemon = cluster.daemons.get(parts[1])
    if daemon is None or not daemon.is_there:
        raise DaemonNotFoundException
    return cluster, daemon


def _find_active(call: Call, arn: str) -> tuple[Cluster, Daemon]:
    cluster, daemon = _find(call, arn)
    if daemon.status != ACTIVE:
        raise DaemonNotActiveException
    return cluster, daemon


def _is_repeated(existing: Daemon, params: Structure) -> bool:
    """A create call with the token and the arguments of the one that made the daemon."""
    return existing.is_there and bool(params.get("clientToken")) and existing.request == params


def _has_one_of(daemon: Daemon, providers: list[str]) -> bool:
    goal = daemon.deployment.goal
    return goal is not None and not set(providers).isdisjoint(goal.providers)


def _deploy(
    call: Call,
    cluster: Cluster,
    daemon: Daemon,
    target: DaemonRevision | None,
    configuration: Structure,
) -> None:
    """Begin a deployment from the revisions that have tasks."""
    have_hosts(call, cluster, COMPATIBILITY)
    marks = {task.started_by for task in cluster.daemon_tasks(daemon.name) if not task.is_stopped}
    instances = len(seats(cluster, target.providers)) if target else 0
    deployment = DaemonDeployment(
        daemon_arn=daemon.arn,
        target=target,
        sources=[each for each in daemon.revisions.values() if each.mark in marks],
        configuration=configuration,
        created_at=call.now,
        threshold=threshold_for(instances),
    )
    daemon.deploy(deployment, call.now)
