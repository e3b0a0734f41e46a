"""What a person wants to see of a realm: its tasks, services, logs and timeline; and its reset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.task import Task
from kecs_server.domain.task import want_stopped
from kecs_server.engines.spec import has_program
from kecs_server.environment import Environment
from kecs_server.network.reaching import chosen
from kecs_server.network.reaching import reach
from kecs_server.operations.service_views import service_view
from kecs_server.operations.views import task_view
from kecs_server.scheduler.order import awaited
from kecs_server.state.realm import Realm
from kecs_server.task_logs import checked_container
from kecs_server.task_logs import find_task
from kecs_server.task_logs import last_lines

Structure = dict[str, Any]

LAST_LINES = 20
"""Lines of each stream in a report, unless the caller says otherwise."""


def realm_report(environment: Environment, realm: Realm, log_lines: int) -> Structure:
    """For a report that others may read: secrets are hidden in what the containers wrote."""
    with realm.reading():
        clusters = _clusters(realm)
        tasks = [task for cluster in clusters for task in cluster.tasks.values()]
        report: Structure = {
            "engine": realm.engine,
            "clock": "manual" if realm.clock.is_manual else "real",
            "tasks": [task_view(task) for task in tasks],
            "services": [
                service_view(service, cluster)
                for cluster in clusters
                for service in cluster.services.values()
            ],
            "ports": {
                task.id: {
                    item.name: [mapping.first for mapping in port_mappings(item.definition)]
                    for item in task.containers
                }
                for task in tasks
            },
            "own_networks": [task.id for task in tasks if realm.isolates(task)],
            "idle": _idle(realm, tasks),
            "waiting": _waiting(tasks),
            "timeline": realm.timeline.as_json(),
        }
    report["logs"] = {
        task.id: {
            container.name: last_lines(environment, realm, task, container.name, log_lines)
            for container in task.containers
        }
        for task in tasks
    }
    return report


def _idle(realm: Realm, tasks: list[Task]) -> dict[str, dict[str, str]]:
    """The images of containers that run nothing, by task and name; on a cluster images tell."""
    if realm.engine != "process":
        return {}
    return {
        task.id: {
            item.name: item.definition["image"]
            for item in task.containers
            if not has_program(item, realm.images)
        }
        for task in tasks
    }


def _waiting(tasks: list[Task]) -> dict[str, dict[str, list[str]]]:
    """What containers wait for that have not started yet, by task and name."""
    found = {
        task.id: {item.name: what for item in task.containers if (what := awaited(task, item))}
        for task in tasks
    }
    return {task_id: containers for task_id, containers in found.items() if containers}


def execute(
    environment: Environment,
    realm: Realm,
    reference: str,
    container: str | None,
    command: list[str],
    timeout: float,
) -> Structure:
    """Run a command in a container of a task, and wait for its end.

    :raises ValueError: no such task or container, or the container does not run.
    """
    task = find_task(realm, reference)
    if container is None:
        if len(task.containers) > 1:
            names = ", ".join(item.name for item in task.containers)
            raise ValueError(f"the task has several containers, say which: {names}")
        container = task.containers[0].name
    name = checked_container(task, container)
    engine = environment.engines[realm.engine].engine
    if engine is None or task.container(name).last_status != "RUNNING":
        status = task.container(name).last_status
        raise ValueError(f"the container {name} does not run, it is {status}")
    result = engine.execute(task.id, name, command, timeout).result()
    return {
        "exit_code": result.exit_code,
        "output": result.output.decode("utf-8", "replace"),
        "reason": result.reason,
    }


def address(
    environment: Environment,
    realm: Realm,
    reference: str,
    container: str | None,
    port: int | None,
    timeout: float,
) -> Structure:
    """Where a container's port is reached, or why it is not.

    :raises ValueError: no such task or container, or it is not clear which is meant.
    """
    task = find_task(realm, reference)
    found, number = chosen(task, container, port)
    return asdict(reach(environment.network, realm, task, found, number, timeout))


def reset_account(environment: Environment, realm: Realm, account: str) -> Structure:
    """Stop and forget everything that the account has in the realm; says how much it was."""
    with realm.changing():
        stores = [store for store in realm.stores() if store.account == account]
        clusters = [cluster for store in stores for cluster in store.clusters.values()]
        tasks = [task for cluster in clusters for task in cluster.tasks.values()]
        counts = {
            "clusters": sum(cluster.is_active for cluster in clusters),
            "services": sum(len(cluster.services) for cluster in clusters),
            "tasks": len(tasks),
            "task_definitions": sum(len(f) for store in stores for f in store.families.values()),
        }
        for cluster in clusters:
            for service in cluster.services.values():
                service.status = INACTIVE
            cluster.tasks.clear()
        for task in tasks:
            want_stopped(task, "UserInitiated", "The account was reset.", realm.clock.now())
        environment.cloud_map.forget(realm, [task.id for task in tasks])
        for store in stores:
            realm.drop(store)
    environment.scheduler.forget(realm, tasks)
    environment.balancers.forget(realm, tasks)
    return counts


def _clusters(realm: Realm) -> list[Cluster]:
    return [cluster for store in realm.stores() for cluster in store.clusters.values()]
