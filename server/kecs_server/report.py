"""What a person wants to see of a realm: its tasks, services, logs and timeline; and its reset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.task import Task
from kecs_server.domain.task import want_stopped
from kecs_server.engines.base import ContainerLogs
from kecs_server.engines.spec import has_program
from kecs_server.environment import Environment
from kecs_server.network.reaching import chosen
from kecs_server.network.reaching import reach
from kecs_server.operations.service_views import service_view
from kecs_server.operations.views import task_view
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

LAST_LINES = 20
"""Lines of each stream in a report."""


def realm_report(environment: Environment, realm: Realm) -> Structure:
    """For a report that others may read: secrets are hidden in what the containers wrote."""
    with realm.reading():
        clusters = _clusters(realm)
        tasks = [task for cluster in clusters for task in cluster.tasks.values()]
        report: Structure = {
            "engine": realm.engine,
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
            "idle": _idle(realm, tasks),
            "timeline": realm.timeline.as_json(),
        }
    report["logs"] = {
        task.id: {
            container.name: _last_lines(
                _masked(task, _logs(environment, realm, task, container.name))
            )
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


def task_logs(
    environment: Environment,
    realm: Realm,
    reference: str,
    container: str | None,
    *,
    masked: bool = False,
) -> Structure:
    """What the containers of a task wrote, the secrets in it hidden if `masked`.

    :raises ValueError: no such task or container.
    """
    task = _find_task(realm, reference)
    wanted = [item.name for item in task.containers]
    if container is not None:
        wanted = [_checked_container(task, container)]
    logs = {name: _logs(environment, realm, task, name) for name in wanted}
    if masked:
        logs = {name: _masked(task, each) for name, each in logs.items()}
    return {"containers": [{"name": name, **_as_text(each)} for name, each in logs.items()]}


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
    task = _find_task(realm, reference)
    if container is None:
        if len(task.containers) > 1:
            names = ", ".join(item.name for item in task.containers)
            raise ValueError(f"the task has several containers, say which: {names}")
        container = task.containers[0].name
    name = _checked_container(task, container)
    engine = environment.engines[realm.engine].engine
    if engine is None or task.container(name).last_status != "RUNNING":
        status = task.container(name).last_status
        raise ValueError(f"the container {name} does not run, it is {status}")
    result = engine.execute(task.id, name, command, timeout).result()
    return {"exit_code": result.exit_code, "output": result.output.decode("utf-8", "replace")}


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
    task = _find_task(realm, reference)
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
        for store in stores:
            realm.drop(store)
    environment.scheduler.forget(realm, tasks)
    return counts


def _find_task(realm: Realm, reference: str) -> Task:
    identifier = reference.rpartition("/")[2]
    with realm.reading():
        task = next((task for task in realm.tasks() if task.id == identifier), None)
    if task is None:
        raise ValueError(f"there is no task {reference}")
    return task


def _checked_container(task: Task, name: str) -> str:
    names = [item.name for item in task.containers]
    if name not in names:
        raise ValueError(f"the task has no container {name!r}; it has {', '.join(names)}")
    return name


def _clusters(realm: Realm) -> list[Cluster]:
    return [cluster for store in realm.stores() for cluster in store.clusters.values()]


def _logs(environment: Environment, realm: Realm, task: Task, container: str) -> ContainerLogs:
    engine = environment.engines[realm.engine].engine
    if engine is None:
        return ContainerLogs(stdout=b"")
    try:
        return engine.logs(task.id, container)
    except KeyError:
        return ContainerLogs(stdout=b"")


def _masked(task: Task, logs: ContainerLogs) -> ContainerLogs:
    if task.resources is None:
        return logs
    return ContainerLogs(
        stdout=task.resources.masked(logs.stdout), stderr=task.resources.masked(logs.stderr)
    )


def _as_text(logs: ContainerLogs) -> dict[str, str]:
    return {
        "stdout": logs.stdout.decode("utf-8", "replace"),
        "stderr": logs.stderr.decode("utf-8", "replace"),
    }


def _last_lines(logs: ContainerLogs) -> dict[str, str]:
    return {
        stream: "\n".join(text.splitlines()[-LAST_LINES:])
        for stream, text in _as_text(logs).items()
    }
