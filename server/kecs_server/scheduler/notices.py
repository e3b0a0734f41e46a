"""Service action events of what the scheduler finds (ecs-facts 18)."""

from __future__ import annotations

from collections.abc import Sequence

from kecs_server.domain.arns import ecs_arn
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.events import DAEMON_VIOLATED
from kecs_server.domain.events import INSTANCE_UNHEALTHY
from kecs_server.domain.events import PLACEMENT_FAILURE
from kecs_server.domain.events import PROVIDER_STEADY_STATE
from kecs_server.domain.events import STEADY_STATE
from kecs_server.domain.events import TASK_SET_STEADY_STATE
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.placement import NoPlace
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.domain.task_set import TaskSet


def tell_steady_state(service: Service, now: float) -> None:
    """Of the service, and of the capacity providers that its tasks are on."""
    service.give_notice(STEADY_STATE, now)
    names = dict.fromkeys(
        item["capacityProvider"]
        for deployment in service.in_place
        for item in deployment.capacity_provider_strategy
    )
    if names:
        arns = [_provider_arn(service, name) for name in names]
        service.give_notice(PROVIDER_STEADY_STATE, now, capacityProviderArns=arns)


def tell_steady_task_set(service: Service, task_set: TaskSet, now: float) -> None:
    service.give_notice(TASK_SET_STEADY_STATE, now, taskSetArns=[task_set.arn])


def tell_no_place(service: Service, found: NoPlace, provider: str | None, now: float) -> None:
    more = {"reason": found.reason}
    if provider is not None:
        service.give_notice(
            PLACEMENT_FAILURE, now, capacityProviderArns=[_provider_arn(service, provider)], **more
        )
    else:
        service.give_notice(PLACEMENT_FAILURE, now, containerInstanceArns=found.instances, **more)


def tell_violations(cluster: Cluster, service: Service, tasks: Sequence[Task], now: float) -> None:
    """Of a DAEMON service's tasks on ACTIVE instances that do not meet its constraints any more."""
    places = [cluster.instance_of(task) for task in tasks]
    arns = [place.arn for place in places if place is not None and place.status == ACTIVE]
    if arns:
        service.give_notice(DAEMON_VIOLATED, now, containerInstanceArns=arns)


def tell_unhealthy(service: Service, deployment: Deployment, now: float) -> None:
    """A task that failed its health checks, where a service registry knows it."""
    if deployment.settings.get("serviceRegistries"):
        service.give_notice(INSTANCE_UNHEALTHY, now)


def _provider_arn(service: Service, name: str) -> str:
    arn = parse_arn(service.arn)
    assert arn is not None
    return ecs_arn(arn.region, arn.account, f"capacity-provider/{name}")
