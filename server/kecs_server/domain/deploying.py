"""How deployments of a service begin, fail, are rolled back and complete (ecs-facts 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kecs_server.domain import stages
from kecs_server.domain.deployment import COMPLETED
from kecs_server.domain.deployment import FAILED
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import ROLLBACK_FAILED
from kecs_server.domain.deployment import ROLLBACK_IN_PROGRESS
from kecs_server.domain.deployment import ROLLBACK_SUCCESSFUL
from kecs_server.domain.deployment import ROLLING
from kecs_server.domain.deployment import STOPPED
from kecs_server.domain.deployment import SUCCESSFUL
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.deployment import Rollback
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a deployment failed, in the words of the rollout, of the service's event and of the
    service deployment; `origin` is what a rollback's reason begins with.
    """

    rollout: str
    event: str
    status: str
    origin: str = "ECS deployment"
    told: str = ""
    """The rollout's words in EventBridge, where they differ."""


BREAKER = Cause(
    rollout="ECS deployment circuit breaker: tasks failed to start.",
    event="tasks failed to start",
    status="the circuit breaker threshold was exceeded",
    origin="ECS deployment circuit breaker:",
    told="ECS deployment circuit breaker: task failed to start.",
)
"""The rollout's words and the event's are captured (ecs-facts 7.7, 8.1)."""

ALARM = Cause(
    rollout="ECS deployment failed: alarm(s) detected.",
    event="alarm detected",
    status="an alarm was triggered",
)
HOOK = Cause(
    rollout="ECS deployment failed: a lifecycle hook failed.",
    event="lifecycle hook failed",
    status="a lifecycle hook failed",
)
REQUEST = Cause(
    rollout="ECS deployment stopped.",
    event="stopped by request",
    status="a stop was requested",
)


def begin(service: Service, deployment: Deployment, now: float) -> ServiceDeployment:
    """Put a new PRIMARY deployment before those that there are, whose own way ends."""
    supersede(service, "a newer service deployment was started", now)
    sources = list(service.deployments)
    way = ServiceDeployment(
        target=deployment,
        sources=sources,
        configuration=service.deployment_configuration,
        strategy=service.deployment_configuration.get("strategy", ROLLING),
        created_at=now,
        updated_at=now,
        path=stages.path_of(service.deployment_configuration, sources=len(sources)),
    )
    source = source_of(service)
    if source is not None:
        deployment.uses_alternate = source.uses_alternate != way.is_side_by_side
    service.deployments.insert(0, deployment)
    service.revisions[deployment.number] = deployment
    service.history = [past for past in service.history if past.is_visible(now)] + [way]
    service.want(service.desired_count)
    service.is_steady = False
    service.give_notice_of(deployment, now)
    return way


def supersede(service: Service, why: str, now: float) -> None:
    """End the service deployment that is under way, if one is."""
    way = service.current
    if way is not None:
        status = ROLLBACK_FAILED if way.rollback else STOPPED
        way.end(status, f"Service deployment stopped because {why}.", now)


def source_of(service: Service) -> Deployment | None:
    """The deployment that serves while the newest is brought about: the last that completed."""
    completed = service.last_completed
    if completed is not None and any(each is completed for each in service.deployments):
        return completed
    return service.deployments[-1] if service.deployments else None


def fail(
    service: Service, way: ServiceDeployment, cause: Cause, now: float, *, roll_back: bool
) -> None:
    """The rollout is FAILED; then it goes back to the last deployment that completed, if it is to
    and there is one, or stays as it is.
    """
    failed = way.goal
    failed.rollout_state = FAILED
    failed.rollout_reason = cause.rollout
    failed.updated_at = now
    service.add_event(f"(deployment {failed.id}) deployment failed: {cause.event}.", now)
    service.give_notice_of(failed, now, cause.told)
    if way.rollback is not None:
        reason = f"Service deployment rollback failed because {cause.status}."
        way.end(ROLLBACK_FAILED, reason, now)
    elif roll_back and service.last_completed is not None:
        _roll_back(service, way, service.last_completed, cause, now)
    else:
        way.end(STOPPED, f"Service deployment stopped because {cause.status}.", now)


def _roll_back(
    service: Service, way: ServiceDeployment, completed: Deployment, cause: Cause, now: float
) -> None:
    """Side by side the source, which still has its tasks, is PRIMARY again; in a rolling update a
    new deployment of the same things is (ecs-facts 8.1).
    """
    if way.is_side_by_side:
        service.deployments.remove(completed)
        goal = completed
    else:
        goal = completed.again(now)
        goal.uses_alternate = completed.uses_alternate
        goal.rollout_reason = f"{cause.origin} rolling back to deploymentId {completed.id}."
        service.revisions[goal.number] = goal
    service.deployments.insert(0, goal)
    service.want(service.desired_count)
    service.is_steady = False
    service.add_event(f"rolling back to deployment {completed.id}.", now)
    if goal.rollout_state == IN_PROGRESS:
        service.give_notice_of(goal, now)
    reason = f"Service deployment rolled back because {cause.status}."
    way.path = stages.rollback_path(way)
    way.rollback = Rollback(reason=reason, started_at=now, to=goal)
    way.position, way.entered_at = 0, None
    way.status, way.status_reason, way.updated_at = ROLLBACK_IN_PROGRESS, reason, now


def complete(service: Service, way: ServiceDeployment, now: float) -> None:
    """The goal is reached; older deployments that have no tasks are forgotten by `forget_old`."""
    goal = way.goal
    if goal.rollout_state == IN_PROGRESS:
        goal.rollout_state = COMPLETED
        goal.rollout_reason = f"ECS deployment {goal.id} completed."
        goal.updated_at = now
        service.add_event(f"(deployment {goal.id}) deployment completed.", now)
        service.give_notice_of(goal, now)
    goal.failed_tasks = goal.failures = 0
    service.last_completed = goal
    way.end(ROLLBACK_SUCCESSFUL if way.rollback else SUCCESSFUL, None, now)


def forget_old(service: Service, live: Mapping[str, int]) -> None:
    """Once no deployment is under way, those that have no tasks are INACTIVE: no longer listed.

    :param live: how many tasks each deployment has, by id.
    """
    if service.current is None and len(service.deployments) > 1:
        primary, *older = service.deployments
        service.deployments = [primary, *(each for each in older if live.get(each.id))]


def held(service: Service, live: Mapping[str, int]) -> dict[str, int] | None:
    """How many tasks each deployment is to have, by id, where none is exchanged for another:
    side by side, before a rolling update begins, and after one that failed. None: as always.

    :param live: how many tasks each has that are not stopping.
    """
    way, desired = service.current, service.desired_count
    if way is None:
        return _frozen(service, live) if service.primary.rollout_state == FAILED else None
    if not way.is_side_by_side:
        waits = way.rollback is None and not way.has_reached(stages.SCALE_UP)
        return _frozen(service, live) if waits and way.sources else {} if waits else None
    counts = dict.fromkeys((each.id for each in service.deployments), 0)
    is_cleaning = way.has_reached(stages.CLEAN_UP)
    source = source_of(service)
    if way.rollback is None:
        counts[way.target.id] = desired if way.has_reached(stages.SCALE_UP) else 0
    elif not is_cleaning:
        counts[way.target.id] = min(desired, live.get(way.target.id, 0))
    if source is not None and (way.rollback is not None or not is_cleaning):
        counts[source.id] = desired
    return counts


def _frozen(service: Service, live: Mapping[str, int]) -> dict[str, int]:
    """Every deployment keeps what it has; the last that completed fills up what is missing."""
    desired = service.desired_count
    counts = {each.id: min(desired, live.get(each.id, 0)) for each in service.deployments}
    completed = service.last_completed
    if completed is not None and completed.id in counts:
        others = sum(counts.values()) - counts[completed.id]
        counts[completed.id] = max(counts[completed.id], desired - others)
    return counts


def weights(service: Service, kind: str) -> dict[str, float]:
    """Percent of the `production` or `test` traffic that each revision has, by its number. Of task
    sets the primary one has all.

    What balances the service's load reads this; a revision's target groups are those that
    `Deployment.uses_alternate` says.
    """
    way = service.history[-1] if service.history else None
    if way is None or not way.is_side_by_side or way.status in (SUCCESSFUL, ROLLBACK_SUCCESSFUL):
        foremost = service.foremost
        return {foremost.number: stages.WHOLE} if foremost else {}
    share = way.production_weight if kind == "production" else way.test_weight
    source = source_of(service)
    result = {way.target.number: share}
    if source is not None and source is not way.target:
        result[source.number] = stages.WHOLE - share
    return result
