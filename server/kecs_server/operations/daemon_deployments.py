"""Deployments and revisions of daemons (the model's words; developer guide, "Daemon
deployments").
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon import DaemonDeployment
from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import daemon_views as views
from kecs_server.operations import lookup
from kecs_server.operations.paging import page
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.views import timestamp

Structure = dict[str, Any]

registry = Registry()

MAX_DESCRIBED = 20


@registry.operation("ListDaemonDeployments")
def list_daemon_deployments(call: Call, params: Structure) -> Structure:
    found = _daemon(call, lookup.own_parts(call, params["daemonArn"], "daemon"))
    if found is None:
        raise ClientException("The specified daemon was not found.")
    _, daemon = found
    wanted, created = params.get("status", []), params.get("createdAt", {})
    matching = [
        deployment
        for deployment in daemon.deployments
        if (not wanted or deployment.status in wanted)
        and timestamp(deployment.created_at) < created.get("before", float("inf"))
        and timestamp(deployment.created_at) > created.get("after", float("-inf"))
    ]
    shown, token = page(
        matching,
        params,
        key=lambda deployment: (deployment.created_at, deployment.id),
        default=MAX_DESCRIBED,
        reverse=True,
    )
    return {
        "daemonDeployments": [views.deployment_summary(daemon, each) for each in shown],
        **token,
    }


@registry.operation("DescribeDaemonDeployments")
def describe_daemon_deployments(call: Call, params: Structure) -> Structure:
    described, failures = [], []
    for arn in _checked_arns(params, "daemonDeploymentArns"):
        parts = lookup.own_parts(call, arn, "daemon-deployment")
        found = _daemon(call, parts)
        deployment = _deployment(found[1], parts[-1]) if found else None
        if found is None or deployment is None:
            failures.append(lookup.missing(arn))
        else:
            described.append(views.deployment_view(*found, deployment))
    return {"daemonDeployments": described, "failures": failures}


@registry.operation("DescribeDaemonRevisions")
def describe_daemon_revisions(call: Call, params: Structure) -> Structure:
    described, failures = [], []
    for arn in _checked_arns(params, "daemonRevisionArns"):
        parts = lookup.own_parts(call, arn, "daemon-revision")
        found = _daemon(call, parts)
        revision = found[1].revisions.get(parts[-1]) if found else None
        if found is None or revision is None:
            failures.append(lookup.missing(arn))
        else:
            described.append(views.revision_view(found[1], revision))
    return {"daemonRevisions": described, "failures": failures}


def _checked_arns(params: Structure, member: str) -> list[str]:
    arns: list[str] = params[member]
    if not arns:
        raise InvalidParameterException(f"{member} can not be empty.")
    if len(arns) > MAX_DESCRIBED:
        raise InvalidParameterException(f"{member} can have at most {MAX_DESCRIBED} items.")
    return list(lookup.unique(arns))


def _daemon(call: Call, parts: tuple[str, ...]) -> tuple[Cluster, Daemon] | None:
    """The daemon that an ARN names, whose segments after the kind are `parts`; a deleted one for
    a while too.
    """
    cluster = lookup.find_cluster(call, parts[0])
    daemon = cluster.daemons.get(parts[1]) if len(parts) > 1 else None
    return (cluster, daemon) if daemon is not None and daemon.is_visible(call.now) else None


def _deployment(daemon: Daemon, identifier: str) -> DaemonDeployment | None:
    return next((each for each in daemon.deployments if each.id == identifier), None)
