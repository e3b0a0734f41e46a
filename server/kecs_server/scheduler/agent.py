"""The ECS agent: a task's containers from provisioning to the end (ecs-facts 6).

Pure but for the Task record: `observed` takes in what an engine saw, `next_commands` says what
the engine is to do now. Both take the time as a parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

from kecs_server.domain.references import Resources
from kecs_server.domain.task import TASK_RETENTION
from kecs_server.domain.task import Container
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.engines import base
from kecs_server.scheduler import health
from kecs_server.scheduler import order
from kecs_server.scheduler import targets

DEFAULT_RESTART_PERIOD = 300
"""Seconds that a container must have run to be restarted (ecs-facts 6.11)."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get secrets and environment files that the definition refers to; open its log streams."""


@dataclass(frozen=True, slots=True)
class Provision:
    """Make the task's sandbox."""


@dataclass(frozen=True, slots=True)
class StartContainer:
    name: str


@dataclass(frozen=True, slots=True)
class StopContainers:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Run the container's health check; `timeout` in seconds."""

    name: str
    command: tuple[str, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Remove:
    """Free the task's sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesFetched(base.Observation):
    """What the task refers to is there."""

    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesFailed(base.Observation):
    """It cannot be had; `reason` is what ECS says after `ResourceInitializationError: `."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesRouted(base.Observation):
    """The router of the task has the container's last lines, or will never have them."""

    container: str


Command = (
    Fetch | Provision | StartContainer | StopContainers | CheckHealth | targets.CheckTarget | Remove
)


def observed(task: Task, observation: base.Observation, now: float) -> None:
    """Take an observation into the task's record; one that comes too late changes nothing."""
    if not task.is_stopped:
        _OBSERVERS[type(observation)](task, observation, now)


def next_commands(task: Task, now: float) -> list[Command]:
    """Move the task as far as it can go now, and say what its engine is to do for that."""
    commands: list[Command] = []
    if task.is_orphaned:
        return commands
    if task.is_remote:
        _follow(task, now)
        return commands
    if task.desired_status == "RUNNING":
        commands += _start(task, now)
        commands += _check_health(task, now)
        commands += targets.due_checks(task, now)
    if task.desired_status == "STOPPED":
        commands += _stop(task, now)
    return commands


def _follow(task: Task, now: float) -> None:
    """Move a task that somebody else runs to where its containers are."""
    if task.desired_status == "RUNNING":
        if _has_started(task):
            move(task, Status.RUNNING, now)
        return
    if not all(container.is_stopped for container in task.containers):
        move(task, Status.STOPPING, now)
        return
    if task.network_interface is not None:
        task.network_interface.status = "DELETED"
    move(task, Status.STOPPED, now)


def look_again_at(task: Task) -> float | None:
    """When something of the task is due that no observation announces."""
    if task.is_stopped and task.stopped_at is not None:
        return task.stopped_at + TASK_RETENTION
    if task.desired_status == "STOPPED":
        return min(targets.moments(task), default=None)
    checks = [
        c.health.due_at
        for c in task.containers
        if c.health and c.last_status == "RUNNING" and not c.health.checking
    ]
    return min([*checks, *order.deadlines(task), *targets.moments(task)], default=None)


def _start(task: Task, now: float) -> Iterator[Command]:
    if task.resources is None:
        yield from _fetch(task)
    if task.resources is not None and not task.provision_asked:
        task.provision_asked = True
        if task.network_interface is not None:
            task.network_interface.status = "ATTACHING"
        if task.managed_volume is not None:
            task.managed_volume.status = "ATTACHING"
        yield Provision()
    if not task.provisioned:
        return
    move(task, Status.PENDING, now)
    for container in task.containers:
        if container.restart_due:
            container.restart_due = False
            yield StartContainer(container.name)
        if container.released or container.is_stopped:
            continue
        problem = order.broken_dependency(task, container, now)
        if problem is not None:
            container.last_status = "STOPPED"
            container.reason = f"CannotStartContainerError: {problem}"
            want_stopped(task, "TaskFailedToStart", "Task failed to start", now)
            return
        if order.may_start(task, container):
            container.released = True
            container.created_at = now
            yield StartContainer(container.name)
    if _has_started(task) and task.last_status < Status.RUNNING:
        if task.targets:
            move(task, Status.ACTIVATING, now)
            targets.join(task, now)
        move(task, Status.RUNNING, now)


def _fetch(task: Task) -> Iterator[Command]:
    if task.fetch_asked:
        return
    task.fetch_asked = True
    if task.needs_resources:
        yield Fetch()
    else:
        task.resources = Resources()


def _stop(task: Task, now: float) -> Iterator[Command]:
    for container in task.containers:
        if not container.released or container.restart_due:
            container.last_status = "STOPPED"
            if container.essential and task.pull_started_at is not None:
                task.execution_stopped_at = task.execution_stopped_at or now
    if not targets.have_left(task, now):
        move(task, Status.DEACTIVATING, now)
        return
    names = tuple(c.name for c in task.containers if _may_stop(task, c))
    for name in names:
        task.container(name).stopping = True
    if names:
        yield StopContainers(names)
    if not all(container.is_stopped for container in task.containers):
        move(task, Status.STOPPING, now)
        return
    if task.network_interface is not None:
        move(task, Status.DEPROVISIONING, now)
        task.network_interface.status = "DELETED"
    if task.managed_volume is not None:
        move(task, Status.DEPROVISIONING, now)
        task.managed_volume.end()
    move(task, Status.STOPPED, now)
    if task.provision_asked and not task.removal_asked:
        task.removal_asked = True
        yield Remove()


def _check_health(task: Task, now: float) -> Iterator[Command]:
    for container in task.containers:
        check = health.check_of(container)
        if check is not None and container.health is not None and health.is_due(container, now):
            container.health.checking = True
            yield CheckHealth(container.name, health.command(check), check["timeout"])


def _may_stop(task: Task, container: Container) -> bool:
    return not container.is_stopped and not container.stopping and order.may_stop(task, container)


def _has_started(task: Task) -> bool:
    """Whether every container has started, but for those that could not and are not essential."""
    return any(container.started for container in task.containers) and all(
        container.started or (container.is_stopped and not container.essential)
        for container in task.containers
    )


def _on_resources_fetched(task: Task, observation: ResourcesFetched, now: float) -> None:
    task.resources = observation.resources


def _on_resources_failed(task: Task, observation: ResourcesFailed, now: float) -> None:
    reason = f"ResourceInitializationError: {observation.reason}"
    want_stopped(task, "TaskFailedToStart", reason, now)


def _on_provisioned(task: Task, observation: base.Provisioned, now: float) -> None:
    task.provisioned = True
    if task.managed_volume is not None:
        task.managed_volume.status = "ATTACHED"
    task.address = observation.address
    if task.network_interface is not None:
        if observation.address is None:  # It becomes known later, and the interface with it.
            return
        task.network_interface.status = "ATTACHED"
        task.network_interface.private_address = observation.address
    task.connectivity_at = task.connectivity_at or now


def _on_pull_started(task: Task, observation: base.PullStarted, now: float) -> None:
    task.pull_started_at = task.pull_started_at or now


def _on_pull_stopped(task: Task, observation: base.PullStopped, now: float) -> None:
    task.pull_stopped_at = now


def _on_ports_bound(task: Task, observation: base.PortsBound, now: float) -> None:
    task.container(observation.container).bindings = observation.bindings


def _on_container_started(task: Task, observation: base.ContainerStarted, now: float) -> None:
    container = task.container(observation.container)
    if container.is_stopped:
        return
    container.started = True
    container.lines_routed = False
    container.started_at = now
    container.last_status = "RUNNING"
    container.runtime_id = observation.runtime_id
    container.image_digest = observation.image_digest
    task.news.append((now, f"container {container.name} RUNNING"))
    health.begin(container, now)
    if _has_started(task):
        task.version += 1


def _on_container_stopped(task: Task, observation: base.ContainerStopped, now: float) -> None:
    container = task.container(observation.container)
    if container.is_stopped:
        return
    container.finished_at = now
    if _is_restarted(task, container, observation, now):
        container.restart_due = True
        container.restart_count += 1
        text = f"container {container.name} exited with {observation.exit_code}, to be restarted"
        task.news.append((now, text))
        return
    container.last_status = "STOPPED"
    container.exit_code = observation.exit_code
    container.reason = observation.reason
    task.news.append((now, _stopped_text(container)))
    if container.essential and task.execution_stopped_at is None:
        task.execution_stopped_at = now
    if not container.essential and not all(other.is_stopped for other in task.containers):
        return
    if not container.started and task.desired_status == "RUNNING":
        _fail_to_start(task, container, now)
    else:
        # A container may end before the last one started: the task was running all the same.
        if task.desired_status == "RUNNING" and _has_started(task):
            move(task, Status.RUNNING, now)
        reason = "Essential container in task exited"
        want_stopped(task, "EssentialContainerExited", reason, now)


def _is_restarted(
    task: Task, container: Container, observation: base.ContainerStopped, now: float
) -> bool:
    """Whether the restart policy has the container start again (ecs-facts 6.11)."""
    policy = container.definition.get("restartPolicy", {})
    if not policy.get("enabled") or task.desired_status == "STOPPED":
        return False
    if observation.exit_code is None or container.started_at is None:
        return False
    period = policy.get("restartAttemptPeriod", DEFAULT_RESTART_PERIOD)
    return (
        observation.exit_code not in policy.get("ignoredExitCodes", ())
        and now - container.started_at >= period
    )


def _on_lines_routed(task: Task, observation: LinesRouted, now: float) -> None:
    task.container(observation.container).lines_routed = True


def _on_health_checked(task: Task, observation: base.HealthChecked, now: float) -> None:
    container = task.container(observation.container)
    health.take(task, container, observation.exit_code, observation.output, now)


def _fail_to_start(task: Task, container: Container, now: float) -> None:
    """A container never ran. Fargate says why in the task's own reason (ecs-facts 6.5)."""
    reason = container.reason or "Task failed to start"
    if task.launch_type != "FARGATE":
        reason = "Task failed to start"
    want_stopped(task, "TaskFailedToStart", reason, now)


def _stopped_text(container: Container) -> str:
    code = "no exit code" if container.exit_code is None else f"exit code {container.exit_code}"
    reason = f": {container.reason}" if container.reason else ""
    return f"container {container.name} STOPPED, {code}{reason}"


def _on_ending(task: Task, observation: base.TaskEnding, now: float) -> None:
    """Its containers are being stopped already: they need no second SIGTERM."""
    _want_stopped_from_outside(task, observation.reason, now)
    for container in task.containers:
        container.stopping = True


def _on_lost(task: Task, observation: base.TaskLost, now: float) -> None:
    _want_stopped_from_outside(task, observation.reason, now)
    for container in task.containers:
        container.released = True
        container.stopping = True
        container.last_status = "STOPPED"
    task.news.append((now, f"lost: {observation.reason}"))


def _want_stopped_from_outside(task: Task, reason: str, now: float) -> None:
    """What it ran on goes away, as an EC2 host does (ecs-facts 6.5)."""
    code = "TerminationNotice" if task.started_at is not None else "TaskFailedToStart"
    want_stopped(task, code, reason, now)


def _on_removed(task: Task, observation: base.Removed, now: float) -> None:
    """Nothing to do: the task had stopped before its removal was asked for."""


_OBSERVERS: dict[type[base.Observation], Callable[..., None]] = {
    ResourcesFetched: _on_resources_fetched,
    ResourcesFailed: _on_resources_failed,
    LinesRouted: _on_lines_routed,
    base.Provisioned: _on_provisioned,
    base.PullStarted: _on_pull_started,
    base.PullStopped: _on_pull_stopped,
    base.PortsBound: _on_ports_bound,
    base.ContainerStarted: _on_container_started,
    base.ContainerStopped: _on_container_stopped,
    base.HealthChecked: _on_health_checked,
    targets.TargetIdle: targets.on_idle,
    base.TaskEnding: _on_ending,
    base.TaskLost: _on_lost,
    base.Removed: _on_removed,
}
