"""The targets that a service's tasks are for load balancers (ecs-facts 7.6, 7.7, 7.9).

Pure but for the records, as the agent, which asks here what of them is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kecs_server.domain import target as rules
from kecs_server.domain.service import Service
from kecs_server.domain.target import DRAINING
from kecs_server.domain.target import GONE
from kecs_server.domain.target import HEALTHY
from kecs_server.domain.target import UNHEALTHY
from kecs_server.domain.target import Target
from kecs_server.domain.task import Task
from kecs_server.engines.base import Observation

Key = tuple[str, str, int]
"""What tells the targets of a task apart: `Target.key`."""


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """Make the target's health check."""

    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChecked(Observation):
    """A health check of a target has ended. `problem`: why it failed; None: it did not."""

    key: Key
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetIdle(Observation):
    """No request to a target that is draining is under way, and none will be."""

    key: Key


def join(task: Task, now: float) -> None:
    """All containers have started."""
    for target in task.targets:
        if target.state == rules.UNUSED:
            rules.register(target, now)


def have_left(task: Task, now: float) -> bool:
    """Take the targets of a task that is to stop out of their groups; whether none is left."""
    for target in task.targets:
        rules.leave(target, now, is_stopped=task.container(target.container).is_stopped)
    return all(target.state == GONE for target in task.targets)


def due_checks(task: Task, now: float) -> Iterator[CheckTarget]:
    for target in task.targets:
        if rules.is_due(target, now):
            target.checking = True
            yield CheckTarget(target)


def moments(task: Task) -> Iterator[float]:
    """When something of the targets is due that no observation announces."""
    for target in task.targets:
        if target.state == DRAINING:
            yield target.drained_by
        elif target.is_registered and not target.checking:
            yield target.due_at


def take_check(task: Task, observation: TargetChecked, now: float) -> bool:
    """Take in how a check ended, and say whether that changes anything."""
    target = _found(task, observation.key)
    if target is None or not rules.take_check(target, observation.problem, now):
        return False
    why = f": {target.reason}" if target.reason else ""
    task.news.append((now, f"target in {target.group.arn} {target.state}{why}"))
    return True


def on_idle(task: Task, observation: TargetIdle, now: float) -> None:
    target = _found(task, observation.key)
    if target is not None and target.state == DRAINING:
        target.is_idle = True


def are_healthy(task: Task) -> bool:
    return all(target.state == HEALTHY for target in task.targets)


def failing(task: Task) -> Target | None:
    """A target whose health checks have failed."""
    return next((target for target in task.targets if target.state == UNHEALTHY), None)


def note(service: Service, task: Task) -> None:
    """Keep for the service's events which targets of the task have come and gone."""
    for target in task.targets:
        if target.is_registered != target.is_counted:
            target.is_counted = target.is_registered
            verb = "registered" if target.is_registered else "deregistered"
            service.registrations[verb, target.group.arn] += 1


def announce(service: Service, now: float) -> None:
    """Say in events what has become of targets since the last look, those of a group together."""
    for (verb, group), count in service.registrations.items():
        service.add_event(f"{verb} {count} targets in (target-group {group})", now)
    service.registrations.clear()


def failure_text(task: Task, target: Target) -> str:
    """The service's event for a task whose target is unhealthy (ecs-facts 7.7)."""
    return (
        f"(task {task.id}) (port {target.port}) is unhealthy in (target-group {target.group.arn}) "
        f"due to (reason {target.reason})."
    )


def _found(task: Task, key: Key) -> Target | None:
    return next((target for target in task.targets if target.key == key), None)
