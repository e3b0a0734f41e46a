"""Everything that happened in a realm, for who keeps it or looks on: calls, transitions, tasks,
services, and the ends of logs.

Times are those of the realm's clock in epoch seconds; `advances` says by how much it was put
forward, and when. Lines of logs have real time.
"""

from __future__ import annotations

import json
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.service import Service
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.environment import Environment
from kecs_server.operations.views import task_definition_view
from kecs_server.state.realm import Realm
from kecs_server.state.timeline import CallRecord
from kecs_server.state.timeline import Entry
from kecs_server.task_logs import checked_container
from kecs_server.task_logs import find_task
from kecs_server.task_logs import masked_lines

Structure = dict[str, Any]

MAX_LOG_LINES = 20_000
"""Of the end of a container's log, in one answer."""


def recording(realm: Realm, after: int) -> Structure:
    """:param after: leave out so many of the first entries ever; `next` of an earlier answer."""
    with realm.reading():
        clusters = [cluster for store in realm.stores() for cluster in store.clusters.values()]
        tasks = [task for cluster in clusters for task in cluster.tasks.values()]
        definitions = {task.task_definition.arn: task.task_definition for task in tasks}
        for store in realm.stores():
            for revisions in store.families.values():
                definitions.update((item.arn, item) for item in revisions.values())
        entries = realm.timeline.after(after)
        total = realm.timeline.total
        result: Structure = {
            "realm": realm.id,
            "name": realm.name,
            "engine": realm.engine,
            "now": realm.clock.now(),
            "version": realm.version,
            "advances": list(realm.clock.advances),
            "next": total,
            "dropped": max(0, total - after - len(entries)),
            "tasks": [_task(task) for task in tasks],
            "services": [
                _service(cluster, service)
                for cluster in clusters
                for service in cluster.services.values()
            ],
            "definitions": {arn: task_definition_view(item) for arn, item in definitions.items()},
        }
    # What entries hold does not change, but for bodies that are dropped.
    result["entries"] = [entry_json(entry) for entry in entries]
    return result


def entry_json(entry: Entry) -> Structure:
    """A call: `operation`, `input`, `result` or `error`, `milliseconds`; else `kind`, `subject` and
    `text`.
    """
    if entry.call is None:
        return {"at": entry.at, "kind": entry.kind, "subject": entry.subject, "text": entry.text}
    call = entry.call
    answered = "result" if call.error is None else "error"
    return {
        "at": entry.at,
        "kind": "call",
        "operation": entry.subject,
        "account": call.account,
        "region": call.region,
        "milliseconds": round(call.milliseconds, 3),
        "text": entry.text,
        **_body("input", _input_text(call), call.input_size),
        **_body(answered, call.answer, call.answer_size),
    }


def _input_text(call: CallRecord) -> str | None:
    return None if call.input is None else call.input.decode("utf-8", "replace")


def _body(name: str, text: str | None, size: int) -> Structure:
    """As the object that it is, or what is left of its text, with its full size."""
    if text is None:
        return {f"{name}_size": size}
    try:
        return {name: json.loads(text)}
    except (ValueError, RecursionError):
        return {f"{name}_text": text, f"{name}_size": size}


def _task(task: Task) -> Structure:
    return {
        "id": task.id,
        "arn": task.arn,
        "cluster": task.cluster_arn.rpartition("/")[2],
        "definition": task.task_definition.arn,
        "group": task.group,
        "service": task.service_name,
        "startedBy": task.started_by,
        "launchType": task.launch_type,
        "capacityProvider": task.capacity_provider,
        "status": task.last_status.name,
        "desired": task.desired_status,
        "health": task.health_status,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "created": task.created_at,
        "pullStarted": task.pull_started_at,
        "started": task.started_at,
        "stopping": task.stopping_at,
        "executionStopped": task.execution_stopped_at,
        "stopped": task.stopped_at,
        "overrides": task.overrides,
        "containers": [_container(container) for container in task.containers],
    }


def _container(container: Container) -> Structure:
    return {
        "name": container.name,
        "image": container.definition.get("image"),
        "essential": container.essential,
        "status": container.last_status,
        "health": container.health_status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "restarts": container.restart_count,
        "started": container.started_at,
        "finished": container.finished_at,
    }


def _service(cluster: Cluster, service: Service) -> Structure:
    return {
        "name": service.name,
        "arn": service.arn,
        "cluster": cluster.name,
        "status": service.status,
        "desired": service.desired_count,
        "created": service.created_at,
        "deleted": service.deleted_at,
        "deployments": [_deployment(way) for way in service.history],
        "events": [{"at": event.created_at, "message": event.message} for event in service.events],
    }


def _deployment(way: ServiceDeployment) -> Structure:
    return {
        "id": way.id,
        "target": way.target.id,
        "definition": way.target.task_definition.arn,
        "strategy": way.strategy,
        "sideBySide": way.is_side_by_side,
        "status": way.status,
        "reason": way.status_reason,
        "created": way.created_at,
        "started": way.started_at,
        "finished": way.finished_at or way.stopped_at,
        "rolledBack": way.rollback.started_at if way.rollback else None,
        # The stages, and the percents of production and test traffic that the target then had.
        "stages": [
            [item.at, item.stage, item.production_weight, item.test_weight] for item in way.entered
        ],
    }


def log_end(
    environment: Environment, realm: Realm, task_reference: str, container: str, lines: int
) -> Structure:
    """The last lines of a container's streams together, `[time, stream, text]`, secrets hidden.
    `skipped`: how many bytes came before.

    :raises ValueError: no such task or container.
    """
    task = find_task(realm, task_reference)
    name = checked_container(task, container)
    found, skipped = masked_lines(environment, realm, task, name, min(lines, MAX_LOG_LINES))
    return {"lines": found, "skipped": skipped}
