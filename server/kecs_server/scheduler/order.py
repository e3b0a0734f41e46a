"""The order in which a task's containers start and stop (ecs-facts 6.9). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kecs_server.domain import firelens
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task

_AWAITED = {
    "START": "to start",
    "COMPLETE": "to end",
    "SUCCESS": "to end with exit code 0",
    "HEALTHY": "to be HEALTHY",
}


def may_start(task: Task, container: Container) -> bool:
    return all(_holds(other, condition) for other, condition in _dependencies(task, container))


def may_stop(task: Task, container: Container) -> bool:
    """Reverse order: a container is stopped after those that depend on it, and a router when it
    has what they wrote.
    """
    routes = firelens.is_router(container.definition)
    return all(
        other.is_stopped and not (routes and other.awaits_routing and _logs_to_router(other))
        for other in task.containers
        for dependency, _ in _dependencies(task, other)
        if dependency is container
    )


def broken_dependency(task: Task, container: Container, now: float) -> str | None:
    """Why the container can never start, in the agent's words; None if it may."""
    for other, condition in _dependencies(task, container):
        if _holds(other, condition):
            continue
        deadline = deadline_of(other, condition)
        if deadline is not None and deadline <= now:
            return (
                f"dependency graph: container ordering dependency [{other.name}] for target "
                f"[{container.name}] has timed out."
            )
        if other.is_stopped:
            cause = "as dependency did not exit successfully"
            if not other.started or condition == "HEALTHY":
                cause = "because dependency will never start"
            return (
                "dependency graph: failed to resolve container ordering dependency "
                f"[{other.name}] for target [{container.name}] {cause}."
            )
    return None


def awaited(task: Task, container: Container) -> list[str]:
    """What the container waits for at this moment, for a person: `db to be HEALTHY`."""
    if container.released or container.is_stopped:
        return []
    return [
        f"{other.name} {_AWAITED[condition]}"
        for other, condition in _dependencies(task, container)
        if not _holds(other, condition)
    ]


def deadlines(task: Task) -> Iterator[float]:
    """When the dependencies that containers wait for now will have timed out."""
    for container in task.containers:
        if not container.released and not container.is_stopped:
            for other, condition in _dependencies(task, container):
                deadline = deadline_of(other, condition)
                if deadline is not None and not _holds(other, condition):
                    yield deadline


def deadline_of(other: Container, condition: str) -> float | None:
    """startTimeout counts from the dependency's own start, and not for START."""
    timeout = other.definition.get("startTimeout")
    if timeout is None or other.started_at is None or condition == "START":
        return None
    return other.started_at + float(timeout)


def _dependencies(task: Task, container: Container) -> Iterator[tuple[Container, str]]:
    """What the container waits for; links and volumesFrom wait for the start. So does who logs to
    a router, unless that waits for it itself.
    """
    yield from _written_dependencies(task, container)
    if _logs_to_router(container):
        router = firelens.router_of(task)
        if router is not None and not _leads_to(task, router, container):
            yield router, "START"


def _leads_to(task: Task, container: Container, target: Container) -> bool:
    """Whether it waits for the other, or for one that does."""
    return any(
        other is target or _leads_to(task, other, target)
        for other, _ in _written_dependencies(task, container)
    )


def _logs_to_router(container: Container) -> bool:
    return firelens.logs_to_router(container.definition)


def _written_dependencies(task: Task, container: Container) -> Iterator[tuple[Container, str]]:
    definition = container.definition
    for dependency in definition.get("dependsOn", ()):
        yield task.container(dependency["containerName"]), dependency["condition"]
    for link in definition.get("links", ()):
        yield task.container(link.partition(":")[0]), "START"
    for source in definition.get("volumesFrom", ()):
        yield task.container(source["sourceContainer"]), "START"


def _holds(dependency: Container, condition: str) -> bool:
    if condition == "START":
        return dependency.started
    if condition == "COMPLETE":
        return dependency.started and dependency.is_stopped
    if condition == "HEALTHY":
        return dependency.health_status == "HEALTHY" and not dependency.is_stopped
    return dependency.is_stopped and dependency.exit_code == 0
