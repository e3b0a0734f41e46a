"""UpdateTaskProtection and GetTaskProtection (ecs-facts 10)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.protection import DEFAULT_MINUTES
from kecs_server.domain.protection import MINUTES
from kecs_server.domain.protection import protect
from kecs_server.domain.task import Task
from kecs_server.errors import InvalidParameterException
from kecs_server.operations import lookup
from kecs_server.operations.registry import Call
from kecs_server.operations.registry import Registry
from kecs_server.operations.views import timestamp

Structure = dict[str, Any]

registry = Registry()

_MOST_UPDATED = 10
_MOST_READ = 100


@registry.operation("UpdateTaskProtection")
def update_task_protection(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params["cluster"])
    references = _checked_tasks(params, _MOST_UPDATED)
    minutes = params.get("expiresInMinutes", DEFAULT_MINUTES)
    if minutes not in MINUTES:
        raise InvalidParameterException(
            f"expiresInMinutes must be between {MINUTES[0]} and {MINUTES[-1]}."
        )
    protected, failures = [], []
    for identifier in lookup.unique([lookup.task_id(call, cluster, item) for item in references]):
        task = lookup.find_task(call, cluster, identifier)
        if task is None:
            failures.append(lookup.missing(call.store.arn(f"task/{cluster.name}/{identifier}")))
            continue
        wanted = minutes if params["protectionEnabled"] else None
        failure = protect(cluster, task, wanted, call.now)
        if failure is not None:
            failures.append(failure)
            continue
        call.realm.touch_task(cluster, task)
        protected.append(protection_view(task, call.now))
    return {"protectedTasks": protected, "failures": failures}


@registry.operation("GetTaskProtection")
def get_task_protection(call: Call, params: Structure) -> Structure:
    cluster = lookup.find_active_cluster(call, params["cluster"])
    protected, failures = [], []
    references = _checked_tasks(params, _MOST_READ)
    for identifier in lookup.unique([lookup.task_id(call, cluster, item) for item in references]):
        task = lookup.find_task(call, cluster, identifier)
        arn = call.store.arn(f"task/{cluster.name}/{identifier}")
        if task is None:
            failures.append(lookup.missing(arn))
        elif task.service_name is None:
            failures.append({"arn": arn, "reason": "TASK_NOT_VALID"})
        else:
            protected.append(protection_view(task, call.now))
    return {"protectedTasks": protected, "failures": failures}


def protection_view(task: Task, now: float) -> Structure:
    if not task.is_protected(now) or task.protected_until is None:
        return {"taskArn": task.arn, "protectionEnabled": False}
    return {
        "taskArn": task.arn,
        "protectionEnabled": True,
        "expirationDate": timestamp(task.protected_until),
    }


def _checked_tasks(params: Structure, most: int) -> list[str]:
    references: list[str] = params.get("tasks") or []
    if not references:
        raise InvalidParameterException("Tasks cannot be empty.")
    if len(references) > most:
        raise InvalidParameterException(f"At most {most} tasks can be named in one call.")
    return references
