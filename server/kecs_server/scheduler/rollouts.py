"""Bringing about what a service's deployment is to bring about (ecs-facts 8.2-8.7)."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain import stages
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import PENDING
from kecs_server.domain.deployment import ROLLBACK_REQUESTED
from kecs_server.domain.deployment import STOP_REQUESTED
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.deployment import HookRun
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.deployment import breaker_threshold
from kecs_server.domain.service import Service

Structure = dict[str, Any]

ALARM = "ALARM"


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook of a service deployment that is to be called."""

    way: ServiceDeployment
    run: HookRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """The service's tasks that have not stopped, as far as deployments care.

    `counts`: how many each deployment has, by its id; `healthy`: the healthy ones' ids likewise.
    """

    counts: Mapping[str, int]
    healthy: Mapping[str, frozenset[str]]

    def is_settled(self, service: Service, goal: Deployment) -> bool:
        """There are exactly the desired tasks, all of the goal and healthy."""
        return (
            sum(self.counts.values()) == len(self.healthy.get(goal.id, ())) == service.desired_count
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Hooks to call, and when to look again if nothing changes before."""

    calls: tuple[HookCall, ...] = ()
    look_again_at: float | None = None


def note_healthy(service: Service, tasks: Tasks) -> None:
    """A task that has become healthy ends the count of failures (ecs-facts 8.1, 8.2)."""
    breaker = service.deployment_configuration.get("deploymentCircuitBreaker", {})
    for deployment in service.deployments:
        has_new = deployment.note_healthy(tasks.healthy.get(deployment.id, ()))
        if has_new and breaker.get("resetOnHealthyTask", True):
            deployment.failures = 0


def advance(service: Service, tasks: Tasks, now: float, alarms: Mapping[str, str]) -> Progress:
    """Bring the deployment that is under way one step on, until nothing more can be done now."""
    way = service.current
    if way is None:
        return Progress()
    _begin(way, now, alarms)
    _end_what_failed(service, way, now, alarms)
    while not way.has_ended:
        verdict = stages.advance(way, _situation(service, way, tasks, now))
        if verdict.is_done:
            deploying.complete(service, way, now)
        elif verdict.failed_hook is not None:
            deploying.fail(service, way, deploying.HOOK, now, roll_back=True)
        else:
            return Progress(tuple(_calls(way, now)), verdict.look_again_at)
    return Progress()


def _calls(way: ServiceDeployment, now: float) -> Iterator[HookCall]:
    for run in stages.due_hooks(way, now):
        run.due_at = None
        yield HookCall(way, run)


def _begin(way: ServiceDeployment, now: float, alarms: Mapping[str, str]) -> None:
    if way.started_at is None:
        way.started_at = way.updated_at = now
        way.ignored_alarms = frozenset(_ringing(way, alarms))
    if way.status == PENDING:
        way.status = IN_PROGRESS


def _end_what_failed(
    service: Service, way: ServiceDeployment, now: float, alarms: Mapping[str, str]
) -> None:
    configuration = service.deployment_configuration
    way.configuration = configuration
    if way.status in (STOP_REQUESTED, ROLLBACK_REQUESTED):
        roll_back = way.status == ROLLBACK_REQUESTED
        deploying.fail(service, way, deploying.REQUEST, now, roll_back=roll_back)
        return
    breaker = configuration.get("deploymentCircuitBreaker", {})
    if breaker.get("enable", False):
        threshold = breaker_threshold(configuration, service.desired_count)
        if way.goal.failures >= threshold:
            way.tripped = True
            roll_back = breaker.get("rollback", False)
            deploying.fail(service, way, deploying.BREAKER, now, roll_back=roll_back)
            return
    ringing = set(_ringing(way, alarms)) - way.ignored_alarms
    if ringing and way.rollback is None:
        way.triggered_alarms = tuple(sorted(ringing))
        roll_back = configuration["alarms"].get("rollback", False)
        deploying.fail(service, way, deploying.ALARM, now, roll_back=roll_back)


def _ringing(way: ServiceDeployment, alarms: Mapping[str, str]) -> list[str]:
    watched: Structure = way.configuration.get("alarms", {})
    names: Collection[str] = watched.get("alarmNames", ()) if watched.get("enable") else ()
    return [name for name in names if alarms.get(name) == ALARM]


def _situation(
    service: Service, way: ServiceDeployment, tasks: Tasks, now: float
) -> stages.Situation:
    goal = way.goal
    served = {goal.id, *(source.id for source in [deploying.source_of(service)] if source)}
    return stages.Situation(
        now=now,
        desired=service.desired_count,
        healthy=len(tasks.healthy.get(goal.id, ())),
        is_settled=tasks.is_settled(service, goal),
        is_alone=tasks.counts.keys() <= {goal.id},
        is_reconciled=tasks.counts.keys() <= served,
    )
