"""Keeping the counts of a service's task sets: one look at all of them (ecs-facts 9)."""

from __future__ import annotations

from collections.abc import Sequence

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.rollout import Limits
from kecs_server.domain.rollout import plan
from kecs_server.domain.service import STEADY
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.domain.task_set import STABILIZING
from kecs_server.domain.task_set import STEADY_STATE
from kecs_server.domain.task_set import TaskSet
from kecs_server.scheduler import notices
from kecs_server.scheduler.service_tasks import Outcome
from kecs_server.scheduler.service_tasks import Work
from kecs_server.scheduler.service_tasks import carry_out
from kecs_server.scheduler.service_tasks import member
from kecs_server.scheduler.service_tasks import stop
from kecs_server.scheduler.service_tasks import warn_if_protected

MINIMUM_PERCENT = 100
MAXIMUM_PERCENT = 200
"""The model: a service of task sets has the default ones, whatever it was given."""


def reconcile(cluster: Cluster, service: Service, tasks: Sequence[Task], now: float) -> Outcome:
    """Bring each task set one step nearer to what is wanted.

    :param tasks: the service's that have not stopped.
    """
    moments: list[float] = []
    touched: list[Task] = []
    for task_set in list(service.task_sets):
        own = [task for task in tasks if task.started_by == task_set.id]
        if task_set.is_draining:
            touched += _drain(service, task_set, own, now)
            continue
        work = _keep(cluster, service, task_set, own, now, moments)
        touched += work.touched
        moments += work.moments
    _settle(service, now)
    return Outcome(touched, look_again_at=min((at for at in moments if at > now), default=None))


def _drain(service: Service, task_set: TaskSet, own: Sequence[Task], now: float) -> list[Task]:
    """Stop what runs, protected or not; the set is gone when its last task is."""
    stopping = [task for task in own if task.desired_status == "RUNNING"]
    stop(service, stopping, task_set.id, now)
    if not own:
        service.task_sets.remove(task_set)
        service.news.append((now, f"(service {service.name}, taskSet {task_set.id}) INACTIVE"))
    return stopping


def _keep(
    cluster: Cluster,
    service: Service,
    task_set: TaskSet,
    own: Sequence[Task],
    now: float,
    moments: list[float],
) -> Work:
    """Have the tasks that it is to have. One on an instance that drains is exchanged."""
    deployment, desired = task_set.deployment, task_set.desired_count
    members = [
        member(service, task, now, moments, is_current=not cluster.is_drained(task)) for task in own
    ]
    deployment.note_healthy(each.id for each in members if each.is_healthy)
    limits = Limits(
        desired=desired, minimum_percent=MINIMUM_PERCENT, maximum_percent=MAXIMUM_PERCENT
    )
    decided = plan(limits, members)
    work = carry_out(cluster, service, deployment, decided, own, task_set.id, now)
    warn_if_protected(service, task_set.id, desired, members, now)
    is_complete = len(own) == desired and all(
        each.is_healthy and each.is_current for each in members
    )
    is_steady = is_complete and not work.touched and not work.is_waiting
    if task_set.become(STEADY_STATE if is_steady else STABILIZING, now) and is_steady:
        deployment.failed_tasks = 0
        service.add_event(STEADY, now, of=task_set.id)
        notices.tell_steady_task_set(service, task_set, now)
    return work


def _settle(service: Service, now: float) -> None:
    """The service is steady when all its task sets are, and none drains."""
    if not service.task_sets or any(
        task_set.stability != STEADY_STATE or task_set.is_draining for task_set in service.task_sets
    ):
        service.is_steady = False
    elif not service.is_steady:
        service.is_steady = True
        service.add_event(STEADY, now)
        notices.tell_steady_state(service, now)
