"""Keeping a task of a daemon on each container instance: one look at one daemon.

Changes the records it is given and returns the tasks it touched; the loop publishes them. What
AWS does by draining and replacing instances is done to the tasks alone: instances stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import ACTIVE
from kecs_server.domain.daemon import PENDING
from kecs_server.domain.daemon import ROLLBACK_FAILED
from kecs_server.domain.daemon import STOPPED
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon import DaemonDeployment
from kecs_server.domain.daemon import DaemonRevision
from kecs_server.domain.daemon import at_once
from kecs_server.domain.daemon_task_definition import COMPATIBILITY
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.seats import Seat
from kecs_server.domain.seats import seats
from kecs_server.domain.tags import Tags
from kecs_server.domain.tags import merged_tags
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import want_stopped

HEALTHY_AFTER = 0.25
"""Seconds of RUNNING after which a task without health checks counts as there."""

EARLY = 1.0
"""Seconds of RUNNING: a task that exits sooner counts as failed, and is replaced after a pause."""

FIRST_PAUSE = 0.05
LAST_PAUSE = 3.0
"""Seconds before tasks that failed are replaced, doubling."""

ALARM = "ALARM"

_TRIPPED = "Deployment circuit breaker: tasks failed to start."
_RANG = "One or more monitored CloudWatch alarms triggered."
_NO_ALARMS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tasks that were started or told to stop, and when to look again (realm's clock)."""

    touched: Sequence[Task]
    look_again_at: float | None = None


def reconcile(
    cluster: Cluster, daemon: Daemon, now: float, alarms: Mapping[str, str] = _NO_ALARMS
) -> Outcome:
    """Bring the daemon's tasks one step nearer to what is wanted.

    :param alarms: the states of alarms that are known, by name.
    """
    tasks = [task for task in cluster.daemon_tasks(daemon.name) if not task.is_stopped]
    deployment = daemon.deployment
    before = deployment.status
    if deployment.status == PENDING:
        deployment.begin(now)
        deployment.ignored_alarms = frozenset(_ringing(deployment, alarms))
    touched = _clear_lost(cluster, daemon, now)
    if daemon.status != ACTIVE:
        touched += _end(daemon, tasks, now)
        return Outcome(touched)
    moments: list[float] = []
    _fail_if_need_be(daemon, deployment, alarms, now)
    goal = deployment.goal
    if goal is not None:
        touched += _exchange(cluster, daemon, goal, tasks, now)
        moments += _complete(cluster, daemon, goal, tasks, now)
    if daemon.retry_at is not None and daemon.retry_at > now:
        moments.append(daemon.retry_at)
    if deployment.status != before:
        daemon.news.append((now, f"deployment {deployment.id} {deployment.status}"))
    return Outcome(touched, look_again_at=min(moments, default=None))


def is_held(cluster: Cluster, task: Task) -> bool:
    """Whether the task may not start yet: the critical daemons of its instance come first."""
    if task.launch_type != COMPATIBILITY or task.daemon_name is not None or task.provision_asked:
        return False
    return task.desired_status == "RUNNING" and any(
        _holds(cluster, daemon, task) for daemon in cluster.daemons.values()
    )


def _holds(cluster: Cluster, daemon: Daemon, task: Task) -> bool:
    goal = daemon.deployment.goal
    if daemon.status != ACTIVE or goal is None or not goal.critical:
        return False
    if all(provider.rpartition("/")[2] != task.capacity_provider for provider in goal.providers):
        return False
    return not any(
        own.last_status == Status.RUNNING
        and own.container_instance_arn == task.container_instance_arn
        for own in cluster.daemon_tasks(daemon.name)
    )


def notice(daemon: Daemon, task: Task, before: Status, now: float) -> None:
    """A task of the daemon moved on: count it if it failed, and leave its instance if it must."""
    if not task.is_stopped or before == Status.STOPPED:
        return
    revision = daemon.revision_of(task.started_by)
    if revision is None or task.stop_code == "ServiceSchedulerInitiated":
        return
    if revision.critical and task.container_instance_arn:
        daemon.lost.append(task.container_instance_arn)
    ran = (task.execution_stopped_at or now) - (task.started_at or now)
    if task.stop_code == "UserInitiated" or ran >= EARLY:
        daemon.failures, daemon.retry_at = 0, None
    else:
        _count_failure(daemon, revision, now)


def _count_failure(daemon: Daemon, revision: DaemonRevision, now: float) -> None:
    daemon.failures += 1
    daemon.retry_at = now + min(FIRST_PAUSE * 2 ** min(daemon.failures - 1, 20), LAST_PAUSE)
    if daemon.deployment.is_under_way and revision is daemon.deployment.goal:
        daemon.deployment.failures += 1


def _fail_if_need_be(
    daemon: Daemon, deployment: DaemonDeployment, alarms: Mapping[str, str], now: float
) -> None:
    if not deployment.is_under_way:
        return
    ringing = set(_ringing(deployment, alarms)) - deployment.ignored_alarms
    if deployment.failures >= deployment.threshold:
        deployment.tripped = True
        deployment.fail(_TRIPPED, daemon.last, now)
    elif ringing and deployment.rollback is None:
        deployment.triggered_alarms = tuple(sorted(ringing))
        deployment.fail(_RANG, daemon.last, now)


def _ringing(deployment: DaemonDeployment, alarms: Mapping[str, str]) -> list[str]:
    return [name for name in deployment.watched_alarms if alarms.get(name) == ALARM]


def _exchange(
    cluster: Cluster, daemon: Daemon, goal: DaemonRevision, tasks: Sequence[Task], now: float
) -> list[Task]:
    """Stop and start tasks on as many instances as may be without theirs."""
    places = seats(cluster, goal.providers)
    by_instance: dict[str | None, list[Task]] = {seat.instance_arn: [] for seat in places}
    astray: list[Task] = []
    for task in tasks:
        by_instance.get(task.container_instance_arn, astray).append(task)
    touched = _stop_all(astray, "The container instance is not the daemon's any more.", now)
    free = at_once(len(places), daemon.deployment.configuration["drainPercent"])
    free -= sum(not _is_served(by_instance[seat.instance_arn], now) for seat in places)
    is_waiting = daemon.retry_at is not None and daemon.retry_at > now
    has_given_up = daemon.deployment.status in (STOPPED, ROLLBACK_FAILED)
    for seat in places:
        here = by_instance[seat.instance_arn]
        touched += _stop_unhealthy(daemon, goal, here, now)
        old = [task for task in here if task.started_by != goal.mark]
        if _is_served(old, now) and free > 0:
            free -= 1
            touched += _stop_all(old, f"Replaced by daemon deployment {daemon.deployment.id}", now)
        elif old and not _is_served(old, now):
            touched += _stop_all(old, f"Replaced by daemon deployment {daemon.deployment.id}", now)
        elif not here and not is_waiting and not has_given_up:
            task = new_task(_launch(cluster, daemon, goal, seat, now))
            task.container_instance_arn = seat.instance_arn
            touched.append(task)
    return touched


def _stop_unhealthy(
    daemon: Daemon, goal: DaemonRevision, here: Sequence[Task], now: float
) -> list[Task]:
    failing = [task for task in here if task.health_status == "UNHEALTHY"]
    stopped = _stop_all(failing, "Task failed container health checks", now)
    for task in stopped:
        _count_failure(daemon, goal, now)
        if goal.critical and task.container_instance_arn:
            daemon.lost.append(task.container_instance_arn)
    return stopped


def _complete(
    cluster: Cluster, daemon: Daemon, goal: DaemonRevision, tasks: Sequence[Task], now: float
) -> list[float]:
    """End the deployment once every instance has its task, and bakes no more.

    :returns: when more can be said.
    """
    deployment = daemon.deployment
    if not deployment.is_under_way:
        return []
    own = [task for task in tasks if task.started_by == goal.mark]
    moments = [at for task in own if (at := _there_at(task)) is not None]
    there = {task.container_instance_arn for task in own if _is_there(task, now)}
    wanted = {seat.instance_arn for seat in seats(cluster, goal.providers)}
    if not wanted <= there or len(own) < len(tasks):
        deployment.baked_at = None
        return [at for at in moments if at > now]
    bake = 0.0 if deployment.rollback else 60.0 * deployment.configuration["bakeTimeInMinutes"]
    if deployment.baked_at is None:
        deployment.baked_at = now + bake
    if deployment.baked_at > now:
        return [deployment.baked_at]
    deployment.succeed(now)
    daemon.last = goal
    daemon.failures = 0
    return []


def _end(daemon: Daemon, tasks: Sequence[Task], now: float) -> list[Task]:
    """Stop the tasks of a daemon that is deleted; it is gone when they are."""
    stopped = _stop_all(tasks, f"Daemon {daemon.name} was deleted", now)
    if not tasks:
        daemon.deployment.succeed(now)
        daemon.deleted_at = now
        daemon.news.append((now, "deleted"))
    return stopped


def _clear_lost(cluster: Cluster, daemon: Daemon, now: float) -> list[Task]:
    """Stop what runs on instances without their critical daemon, but for daemons."""
    lost, daemon.lost = set(daemon.lost), []
    reason = f"The critical daemon {daemon.name} stopped on the container instance"
    stopped = []
    for task in cluster.tasks.values():
        is_placed = task.container_instance_arn in lost and task.launch_type == COMPATIBILITY
        if is_placed and task.daemon_name is None and task.desired_status == "RUNNING":
            want_stopped(task, "InfrastructureHealth", reason, now)
            stopped.append(task)
    return stopped


def _stop_all(tasks: Sequence[Task], reason: str, now: float) -> list[Task]:
    """:returns: those that were not told before."""
    running = [task for task in tasks if task.desired_status == "RUNNING"]
    for task in running:
        want_stopped(task, "ServiceSchedulerInitiated", reason, now)
    return running


def _is_served(tasks: Sequence[Task], now: float) -> bool:
    """Whether one of an instance's tasks does its work."""
    return any(_is_there(task, now) for task in tasks)


def _is_there(task: Task, now: float) -> bool:
    at = _there_at(task)
    return at is not None and at <= now


def _there_at(task: Task) -> float | None:
    """When the task counts as running and healthy; None: it does not run."""
    is_running = task.last_status == Status.RUNNING and task.desired_status == "RUNNING"
    if not is_running or task.started_at is None:
        return None
    if task.has_health_check:
        return task.started_at if task.health_status == "HEALTHY" else None
    return task.started_at + HEALTHY_AFTER


def _launch(
    cluster: Cluster, daemon: Daemon, goal: DaemonRevision, seat: Seat, now: float
) -> Launch:
    arn = parse_arn(daemon.arn)
    assert arn is not None
    return Launch(
        account=arn.account,
        region=arn.region,
        cluster=cluster,
        definition=goal.definition,
        launch_type=COMPATIBILITY,
        group=f"daemon:{daemon.name}",
        now=now,
        instance=cluster.instances.get(seat.instance_arn.rpartition("/")[2]),
        capacity_provider=seat.provider_arn.rpartition("/")[2],
        started_by=goal.mark,
        daemon_name=daemon.name,
        enable_execute_command=goal.enable_execute_command,
        tags=_tags(cluster, daemon, goal),
    )


def _tags(cluster: Cluster, daemon: Daemon, goal: DaemonRevision) -> Tags:
    tags = merged_tags(daemon.tags if goal.propagate_tags == "DAEMON" else [], [])
    if goal.enable_managed_tags:
        own = {"aws:ecs:clusterName": cluster.name, "aws:ecs:daemonName": daemon.name}
        tags = merged_tags(tags, [{"key": key, "value": value} for key, value in own.items()])
    return tags
