"""Service deployments and revisions as their Describe and List operations give them (ecs-facts 8.4,
8.5).
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain import stages
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.deployment import HookRun
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.deployment import breaker_threshold
from kecs_server.domain.service import Service
from kecs_server.operations.placement import resolved_platform
from kecs_server.operations.service_views import capacity_of
from kecs_server.operations.service_views import revision_summary
from kecs_server.operations.views import timestamp
from kecs_server.operations.views import without_absent

Structure = dict[str, Any]


def service_deployment_view(
    cluster: Cluster, service: Service, way: ServiceDeployment
) -> Structure:
    tasks = cluster.service_tasks(service.name)
    traffic = {kind: deploying.weights(service, kind) for kind in ("production", "test")}

    def summary(revision: Deployment) -> Structure:
        result = revision_summary(service, revision, tasks)
        if way.strategy != "ROLLING" and way is service.history[-1]:
            number = revision.number
            result["requestedProductionTrafficWeight"] = traffic["production"].get(number, 0.0)
            result["requestedTestTrafficWeight"] = traffic["test"].get(number, 0.0)
        return result

    return without_absent(
        {
            **_common(service, way),
            "stoppedAt": _time(way.stopped_at),
            "updatedAt": timestamp(way.updated_at),
            "sourceServiceRevisions": [summary(source) for source in way.sources],
            "targetServiceRevision": summary(way.target),
            "lifecycleStage": _stage(way),
            "lifecycleHookDetails": [_hook_view(run) for run in way.hooks] or None,
            "deploymentConfiguration": way.configuration,
            "rollback": _rollback_view(service, way),
            "deploymentCircuitBreaker": {
                "status": _breaker_status(way),
                "failureCount": way.goal.failures,
                "threshold": breaker_threshold(way.configuration, service.desired_count),
            },
            "alarms": _alarms_view(way),
        }
    )


def service_deployment_brief(service: Service, way: ServiceDeployment) -> Structure:
    brief = _common(service, way)
    brief["targetServiceRevisionArn"] = service.revision_arn(way.target)
    return without_absent(brief)


def revision_view(service: Service, revision: Deployment) -> Structure:
    """Image digests are not known here: no engine resolves an image before a task is there."""
    version = revision.platform_version
    view = {
        "serviceRevisionArn": service.revision_arn(revision),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": revision.task_definition.arn,
        **capacity_of(revision),
        "platformVersion": resolved_platform(version),
        "platformFamily": "Linux" if version else None,
        "loadBalancers": [],
        "serviceRegistries": [],
        "networkConfiguration": revision.network_configuration,
        "containerImages": [
            {"containerName": container["name"], "image": container["image"]}
            for container in revision.task_definition.containers
        ],
        "guardDutyEnabled": False,
        "createdAt": timestamp(revision.created_at),
        "resolvedConfiguration": {"loadBalancers": list(_resolved(revision))},
        **revision.settings,
    }
    return without_absent(view)


def _resolved(revision: Deployment) -> list[Structure]:
    """The target groups that the revision's tasks are in, and what leads production there."""
    result = []
    for balancer in revision.settings.get("loadBalancers", ()):
        advanced = balancer.get("advancedConfiguration", {})
        group = balancer.get("targetGroupArn")
        if revision.uses_alternate:
            group = advanced.get("alternateTargetGroupArn", group)
        rule = advanced.get("productionListenerRule")
        result.append(without_absent({"targetGroupArn": group, "productionListenerRule": rule}))
    return result


def _common(service: Service, way: ServiceDeployment) -> Structure:
    return {
        "serviceDeploymentArn": service.deployment_arn(way),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": timestamp(way.created_at),
        "startedAt": _time(way.started_at),
        "finishedAt": _time(way.finished_at),
        "status": way.status,
        "statusReason": way.status_reason,
    }


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else timestamp(seconds)


def _stage(way: ServiceDeployment) -> str | None:
    """The model's enumeration lacks the stage before a shift, which is the shift's."""
    if way.started_at is None:
        return None
    stage = way.step.stage
    is_before = stage == stages.PRE_PRODUCTION_TRAFFIC_SHIFT
    return stages.PRODUCTION_TRAFFIC_SHIFT if is_before else stage


def _hook_view(run: HookRun) -> Structure:
    return without_absent(
        {
            "hookId": run.id,
            "targetType": run.hook.get("targetType", "AWS_LAMBDA"),
            "targetArn": run.hook.get("hookTargetArn"),
            "status": run.status,
            "expiresAt": timestamp(run.expires_at),
            "timeoutAction": run.timeout_action,
        }
    )


def _rollback_view(service: Service, way: ServiceDeployment) -> Structure | None:
    if way.rollback is None:
        return None
    return {
        "reason": way.rollback.reason,
        "startedAt": timestamp(way.rollback.started_at),
        "serviceRevisionArn": service.revision_arn(way.rollback.to),
    }


def _breaker_status(way: ServiceDeployment) -> str:
    breaker = way.configuration.get("deploymentCircuitBreaker", {})
    return _monitor_status(way, is_on=breaker.get("enable", False), has_triggered=way.tripped)


def _alarms_view(way: ServiceDeployment) -> Structure:
    alarms = way.configuration.get("alarms", {})
    triggered = list(way.triggered_alarms)
    status = _monitor_status(way, is_on=alarms.get("enable", False), has_triggered=bool(triggered))
    return {
        "status": status,
        "alarmNames": alarms.get("alarmNames", []),
        "triggeredAlarmNames": triggered,
    }


def _monitor_status(way: ServiceDeployment, *, is_on: bool, has_triggered: bool) -> str:
    if has_triggered:
        return "TRIGGERED"
    if not is_on:
        return "DISABLED"
    return "MONITORING_COMPLETE" if way.has_ended else "MONITORING"
