"""Daemons, their revisions and deployments as their operations answer with them."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon import DaemonDeployment
from kecs_server.domain.daemon import DaemonRevision
from kecs_server.domain.seats import seats
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.operations.views import timestamp
from kecs_server.operations.views import without_absent

Structure = dict[str, Any]


def daemon_answer(daemon: Daemon, *, whole: bool = False) -> Structure:
    """What the operations that change a daemon answer; `whole` with the time of the change."""
    return {
        "daemonArn": daemon.arn,
        "status": daemon.status,
        "createdAt": timestamp(daemon.created_at),
        **({"updatedAt": timestamp(daemon.updated_at)} if whole else {}),
        "deploymentArn": daemon.deployment.arn,
    }


def daemon_summary(daemon: Daemon) -> Structure:
    return {
        "daemonArn": daemon.arn,
        "status": daemon.status,
        "createdAt": timestamp(daemon.created_at),
        "updatedAt": timestamp(daemon.updated_at),
    }


def daemon_view(cluster: Cluster, daemon: Daemon) -> Structure:
    tasks = cluster.daemon_tasks(daemon.name)
    marks = {task.started_by for task in tasks if not task.is_stopped}
    current = [
        revision
        for revision in daemon.revisions.values()
        if revision.mark in marks or revision is daemon.deployment.goal
    ]
    return {
        **daemon_summary(daemon),
        "clusterArn": daemon.cluster_arn,
        "currentRevisions": [_revision_counts(cluster, each, tasks) for each in current],
        "deploymentArn": daemon.deployment.arn,
    }


def revision_view(daemon: Daemon, revision: DaemonRevision) -> Structure:
    """Image digests are not known here: no engine resolves an image before a task is there."""
    return {
        "daemonRevisionArn": revision.arn,
        "clusterArn": daemon.cluster_arn,
        "daemonArn": daemon.arn,
        "daemonTaskDefinitionArn": revision.definition.arn,
        "createdAt": timestamp(revision.created_at),
        "containerImages": [
            {"containerName": container["name"], "image": container["image"]}
            for container in revision.definition.containers
        ],
        "propagateTags": revision.propagate_tags,
        "enableECSManagedTags": revision.enable_managed_tags,
        "enableExecuteCommand": revision.enable_execute_command,
        "critical": revision.critical,
    }


def deployment_summary(daemon: Daemon, deployment: DaemonDeployment) -> Structure:
    target = deployment.target
    return without_absent(
        {
            **_common(daemon, deployment),
            "daemonArn": daemon.arn,
            "targetDaemonRevisionArn": target.arn if target else None,
        }
    )


def deployment_view(cluster: Cluster, daemon: Daemon, deployment: DaemonDeployment) -> Structure:
    tasks = cluster.daemon_tasks(daemon.name)
    target, rollback = deployment.target, deployment.rollback
    return without_absent(
        {
            **_common(daemon, deployment),
            "targetDaemonRevision": _instance_counts(cluster, target, tasks) if target else None,
            "sourceDaemonRevisions": [
                _instance_counts(cluster, source, tasks) for source in deployment.sources
            ],
            "circuitBreaker": {
                "failureCount": deployment.failures,
                "status": _monitor_status(deployment, has_triggered=deployment.tripped),
                "threshold": deployment.threshold,
            },
            "alarms": {
                "status": _monitor_status(
                    deployment, has_triggered=bool(deployment.triggered_alarms)
                )
                if deployment.configuration["alarms"]["enable"]
                else "DISABLED",
                "alarmNames": deployment.configuration["alarms"]["alarmNames"],
                "triggeredAlarmNames": list(deployment.triggered_alarms),
            },
            "rollback": {
                "reason": rollback.reason,
                "startedAt": timestamp(rollback.started_at),
                "rollbackTargetDaemonRevisionArn": rollback.to.arn,
                "rollbackCapacityProviders": list(rollback.to.providers),
            }
            if rollback
            else None,
            "deploymentConfiguration": deployment.configuration,
        }
    )


def _common(daemon: Daemon, deployment: DaemonDeployment) -> Structure:
    def time(seconds: float | None) -> float | None:
        return None if seconds is None else timestamp(seconds)

    return {
        "daemonDeploymentArn": deployment.arn,
        "clusterArn": daemon.cluster_arn,
        "status": deployment.status,
        "statusReason": deployment.status_reason,
        "createdAt": timestamp(deployment.created_at),
        "startedAt": time(deployment.started_at),
        "stoppedAt": time(deployment.stopped_at),
        "finishedAt": time(deployment.finished_at),
    }


def _monitor_status(deployment: DaemonDeployment, *, has_triggered: bool) -> str:
    if has_triggered:
        return "TRIGGERED"
    return "MONITORING" if deployment.is_under_way else "MONITORING_COMPLETE"


def _revision_counts(cluster: Cluster, revision: DaemonRevision, tasks: list[Task]) -> Structure:
    running, without, _ = _counts(cluster, revision, tasks)
    return {
        "arn": revision.arn,
        "capacityProviders": [
            {"arn": arn, "runningCount": running[arn], "withoutDaemonCount": without[arn]}
            for arn in revision.providers
        ],
        "totalRunningCount": sum(running.values()),
        "totalWithoutDaemonCount": sum(without.values()),
    }


def _instance_counts(cluster: Cluster, revision: DaemonRevision, tasks: list[Task]) -> Structure:
    running, without, draining = _counts(cluster, revision, tasks)
    return {
        "arn": revision.arn,
        "capacityProviders": [
            {
                "arn": arn,
                "runningInstanceCount": running[arn],
                "withoutDaemonInstanceCount": without[arn],
                "drainingInstanceCount": draining[arn],
            }
            for arn in revision.providers
        ],
        "totalRunningInstanceCount": sum(running.values()),
        "totalWithoutDaemonInstanceCount": sum(without.values()),
        "totalDrainingInstanceCount": sum(draining.values()),
    }


def _counts(
    cluster: Cluster, revision: DaemonRevision, tasks: list[Task]
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """By provider: instances that run the revision's task, run without it, and lose it.

    Without the task of a critical daemon an instance does not count as running.
    """
    running, without, draining = (dict.fromkeys(revision.providers, 0) for _ in range(3))
    own = [task for task in tasks if task.started_by == revision.mark and not task.is_stopped]
    for seat in seats(cluster, revision.providers):
        here = [task for task in own if task.container_instance_arn == seat.instance_arn]
        runs = any(task.last_status == Status.RUNNING for task in here)
        running[seat.provider_arn] += runs
        without[seat.provider_arn] += not runs and not revision.critical
        draining[seat.provider_arn] += any(task.desired_status == "STOPPED" for task in here)
    return running, without, draining
