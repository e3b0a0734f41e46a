"""Keeping a service's desired count: one look at one service (ecs-facts 7.6, 7.7, 8.1).

Changes the records it is given and returns the tasks it made; the loop publishes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace

from kecs_server.domain import deploying
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_service import want_all_seats
from kecs_server.domain.deployment import COMPLETED
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.rollout import Limits
from kecs_server.domain.rollout import Member
from kecs_server.domain.rollout import Plan
from kecs_server.domain.rollout import plan
from kecs_server.domain.service import DRAINING
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import STEADY
from kecs_server.domain.service import Service
from kecs_server.domain.stages import SCALE_UP
from kecs_server.domain.task import Task
from kecs_server.scheduler import notices
from kecs_server.scheduler import rollouts
from kecs_server.scheduler import task_sets
from kecs_server.scheduler.daemon_services import planned
from kecs_server.scheduler.rebalancing import beside_arrivals
from kecs_server.scheduler.rebalancing import rebalance
from kecs_server.scheduler.service_tasks import Outcome
from kecs_server.scheduler.service_tasks import carry_out
from kecs_server.scheduler.service_tasks import member
from kecs_server.scheduler.service_tasks import stop
from kecs_server.scheduler.service_tasks import warn
from kecs_server.scheduler.service_tasks import warn_if_protected

_NO_ALARMS: Mapping[str, str] = {}

_BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment "
    "configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
)


def reconcile(
    cluster: Cluster, service: Service, now: float, alarms: Mapping[str, str] = _NO_ALARMS
) -> Outcome:
    """Bring the service's tasks one step nearer to what is wanted.

    :param alarms: the states of alarms that are known, by name.
    """
    tasks = [task for task in cluster.service_tasks(service.name) if not task.is_stopped]
    if service.status == INACTIVE:
        return Outcome((), look_again_at=service.forgotten_at)
    if service.status == DRAINING:
        return _drain(cluster, service, tasks, now)
    if service.has_task_sets:
        return task_sets.reconcile(cluster, service, tasks, now)
    if service.is_daemon:
        want_all_seats(cluster, service, now)
    moments: list[float] = []
    current = service.primary.id
    members = {
        task.id: member(service, task, now, moments, is_current=task.started_by == current)
        for task in tasks
    }
    seen = _seen(tasks, members)
    rollouts.note_healthy(service, seen)
    progress = rollouts.advance(service, seen, now, alarms)
    if progress.look_again_at is not None:
        moments.append(progress.look_again_at)
    touched: list[Task] = []
    is_waiting = False
    for deployment, decided in _plans(
        cluster, service, beside_arrivals(service, tasks), members, now
    ):
        work = carry_out(cluster, service, deployment, decided, tasks, service.primary.id, now)
        touched += work.touched
        moments += work.moments
        is_waiting = is_waiting or work.is_waiting
    if not touched and not is_waiting:
        _settle(service, seen, now)
        _warn_if_blocked(service, tasks, members, now)
        warn_if_protected(service, service.primary.id, service.desired_count, members.values(), now)
        touched += rebalance(cluster, service, tasks, members, now, moments)
    at = min((at for at in moments if at > now), default=None)
    return Outcome(touched, progress.calls, at)


def _seen(tasks: Sequence[Task], members: Mapping[str, Member]) -> rollouts.Tasks:
    healthy: dict[str, set[str]] = {}
    for task in tasks:
        if members[task.id].is_healthy:
            healthy.setdefault(task.started_by or "", set()).add(task.id)
    return rollouts.Tasks(
        counts=Counter(task.started_by or "" for task in tasks),
        healthy={id: frozenset(ids) for id, ids in healthy.items()},
    )


def _plans(
    cluster: Cluster,
    service: Service,
    tasks: Sequence[Task],
    members: Mapping[str, Member],
    now: float,
) -> list[tuple[Deployment, Plan]]:
    """What is to be done for each deployment: for the PRIMARY one, where older tasks are exchanged
    for its own; else for each by itself. A task on an instance that drains is exchanged as an
    older one.
    """
    if service.is_daemon:
        return [planned(cluster, service, tasks, members, now)]
    live = Counter(task.started_by or "" for task in tasks if task.desired_status == "RUNNING")
    held = deploying.held(service, live)
    if held is None:
        # A look that has begun a rollback has another PRIMARY than the members were made for.
        current = service.primary.id
        whole = [
            _of(
                members[task.id],
                is_current=task.started_by == current and not cluster.is_drained(task),
            )
            for task in tasks
        ]
        return [(service.primary, plan(_limits(service, service.desired_count), whole))]
    way = service.current
    sides = 2 if way is not None and way.is_side_by_side else 1
    room = _limits(service, service.desired_count).ceiling * sides - len(tasks)
    result = []
    for deployment in service.deployments:
        count = deployment.desired_count = held.get(deployment.id, 0)
        own = [
            _of(members[task.id], is_current=not cluster.is_drained(task))
            for task in tasks
            if task.started_by == deployment.id
        ]
        decided = plan(_limits(service, count), own)
        count = max(0, min(decided.start, room))
        room -= count
        result.append((deployment, replace(decided, start=count)))
    return result


def _of(member: Member, *, is_current: bool) -> Member:
    return member if member.is_current == is_current else member._replace(is_current=is_current)


def _limits(service: Service, desired: int) -> Limits:
    configuration = service.deployment_configuration
    return Limits(
        desired=desired,
        minimum_percent=configuration["minimumHealthyPercent"],
        maximum_percent=configuration["maximumPercent"],
    )


def _settle(service: Service, seen: rollouts.Tasks, now: float) -> None:
    """Report the steady state once nothing is left to do."""
    deploying.forget_old(service, seen.counts)
    if (
        not service.is_steady
        and service.current is None
        and service.primary.rollout_state == COMPLETED
        and seen.is_settled(service, service.primary)
    ):
        service.primary.failed_tasks = 0
        service.is_steady = True
        service.add_event(STEADY, now)
        notices.tell_steady_state(service, now)


def _warn_if_blocked(
    service: Service, tasks: Sequence[Task], members: Mapping[str, Member], now: float
) -> None:
    """Say that the percentages leave no way from the old tasks to the new (ecs-facts 7.6)."""
    way = service.current
    if way is None or way.is_side_by_side or way.step.stage != SCALE_UP:
        return
    is_quiet = all(member.is_healthy for member in members.values())
    is_old_left = any(task.started_by != service.primary.id for task in tasks)
    if is_quiet and is_old_left:
        warn(service, _BLOCKED, now)


def _drain(cluster: Cluster, service: Service, tasks: Sequence[Task], now: float) -> Outcome:
    deploying.supersede(service, "the service was deleted", now)
    stopping: Sequence[Task] = [task for task in tasks if task.desired_status == "RUNNING"]
    if service.has_task_sets:
        stopping = task_sets.reconcile(cluster, service, tasks, now).touched
    else:
        stop(service, stopping, service.primary.id, now)
    if not tasks:
        service.status = INACTIVE
        service.deleted_at = now
        service.news.append((now, f"(service {service.name}) INACTIVE"))
    return Outcome(stopping, look_again_at=service.forgotten_at)
