"""Container health checks as the ECS agent and Docker judge them (ecs-facts 6.10). Pure.

Docker looks for the first time one `interval` after the start. Here checks begin at once, with
pauses that grow, so that a container which is ready counts as HEALTHY without a wait; a failure
before the time at which Docker would have looked, or within `startPeriod`, does not count.
"""

from __future__ import annotations

from kecs_server.domain.task import Container
from kecs_server.domain.task import Health
from kecs_server.domain.task import Structure
from kecs_server.domain.task import Task

FIRST_PAUSE = 0.1
"""Seconds from the first check to the second; each pause is twice the last, up to `interval`."""

OUTPUT_LIMIT = 4096
"""Characters of a check's output that are kept, as by Docker."""


def check_of(container: Container) -> Structure | None:
    """The container's health check; None if it has none that runs."""
    check: Structure | None = container.definition.get("healthCheck")
    return None if check is None or check["command"][0] == "NONE" else check


def command(check: Structure) -> tuple[str, ...]:
    """What to run; without CMD or CMD-SHELL in front it is taken for CMD."""
    first, *rest = check["command"]
    if first == "CMD-SHELL":
        return ("/bin/sh", "-c", " ".join(rest))
    return tuple(rest) if first == "CMD" else (first, *rest)


def begin(container: Container, now: float) -> None:
    """The container has started: nothing is known of its health."""
    check = check_of(container)
    if check is not None:
        grace = max(check["interval"], check.get("startPeriod", 0))
        container.health = Health(due_at=now, grace_until=now + grace, pause=FIRST_PAUSE)


def is_due(container: Container, now: float) -> bool:
    health = container.health
    return (
        health is not None
        and container.last_status == "RUNNING"
        and not container.stopping
        and not health.checking
        and health.due_at <= now
    )


def take(task: Task, container: Container, exit_code: int | None, output: str, now: float) -> None:
    """Take in how a check ended; `exit_code` None: it did not, in time."""
    health, check = container.health, check_of(container)
    if health is None or check is None or container.is_stopped:
        return
    health.checking = False
    health.exit_code = exit_code
    health.output = output[:OUTPUT_LIMIT]
    health.due_at = now + check["interval"]
    if exit_code != 0:
        _tell_failure(task, container, now)
    if exit_code == 0:
        health.settled = True
        health.failures = 0
        health.told = ""
        _become(task, container, "HEALTHY", now)
    elif not health.settled and now < health.grace_until:
        health.due_at = min(now + health.pause, health.grace_until)
        health.pause = min(health.pause * 2, check["interval"])
    else:
        health.settled = True
        health.failures += 1
        if health.failures >= check["retries"]:
            _become(task, container, "UNHEALTHY", now)


def _tell_failure(task: Task, container: Container, now: float) -> None:
    """Also one that does not count: others may wait for the container. Equal ones are told once."""
    health = container.health
    assert health is not None
    how = "did not end in time" if health.exit_code is None else f"exit code {health.exit_code}"
    text = f"{how}: {health.output.strip()[-200:]}" if health.output.strip() else how
    if health.told != text:
        health.told = text
        task.news.append((now, f"container {container.name} fails its health check: {text}"))


def _become(task: Task, container: Container, status: str, now: float) -> None:
    health = container.health
    assert health is not None
    if health.status == status:
        return
    health.status, health.since = status, now
    task.news.append((now, f"container {container.name} {status}"))
