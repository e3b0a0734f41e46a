"""DAEMON services: one task on each container instance that suits them (ecs-facts 7.6).

Where their tasks are to be, and which to start and stop now. They come before other tasks: what
theirs will need is kept free.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.events import COUNT_UPDATED
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.instance import ZONE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.placement import Floor
from kecs_server.domain.placement import Wish
from kecs_server.domain.placement import suits
from kecs_server.domain.placement import wish
from kecs_server.domain.rollout import Limits
from kecs_server.domain.rollout import Member
from kecs_server.domain.rollout import Plan
from kecs_server.domain.rollout import unhealthy_first
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task


def wish_of(service: Service, deployment: Deployment) -> Wish:
    """What a task of the deployment needs."""
    return wish(
        deployment.task_definition,
        group=service.group,
        launch_type=deployment.launch_type or "EC2",
        constraints=service.settings.get("placementConstraints", ()),
    )


def seats(cluster: Cluster, service: Service) -> list[ContainerInstance]:
    """The ACTIVE instances that are to have a task, whether there is room for it or not. The
    service's own tasks do not count in what its constraints say of an instance.
    """
    wanted = wish_of(service, service.primary)
    return [
        instance
        for instance in cluster.instances.values()
        if instance.status == ACTIVE and suits(instance, wanted)
    ]


def want_all_seats(cluster: Cluster, service: Service, now: float) -> None:
    """Set the desired count, which is computed."""
    count = len(seats(cluster, service))
    if count != service.desired_count:
        service.is_steady = False
        service.give_notice(COUNT_UPDATED, now, desiredCount=count)
    service.want(count)


def floor_of(cluster: Cluster, besides: Service | None = None, *, zone: str | None = None) -> Floor:
    """The cluster's instances with room kept for the tasks that DAEMON services lack.

    :param besides: the service that a place is looked for.
    :param zone: only instances of this Availability Zone; None: of all.
    """
    floor = Floor(
        each
        for each in cluster.instances.values()
        if zone is None or each.attributes.get(ZONE) == zone
    )
    for service in cluster.daemon_services():
        if service is not besides:
            demand = wish_of(service, service.primary).demand
            for instance in _empty(seats(cluster, service), service):
                floor.reserve(instance, demand)
    return floor


def _empty(places: Sequence[ContainerInstance], service: Service) -> Iterator[ContainerInstance]:
    for instance in places:
        if all(task.service_name != service.name for task in instance.live_tasks()):
            yield instance


def may_leave(cluster: Cluster, task: Task) -> bool:
    """Whether a task of a DAEMON service may go from an instance that is not the service's any
    more: where one drains, the tasks of other services go first.
    """
    instance = cluster.instance_of(task)
    if instance is None or not cluster.is_drained(task):
        return True
    daemons = {service.name for service in cluster.daemon_services()}
    return all(
        other.service_name is None or other.service_name in daemons
        for other in instance.live_tasks()
    )


def plan(
    minimum_percent: int, by_seat: Sequence[Sequence[Member]], astray: Sequence[Member]
) -> Plan:
    """What to do now, but for where to start: that is each seat without a task.

    Never brings the healthy tasks under the floor. A seat has one task, one that is stopping
    included: an older one has gone before its replacement comes.

    :param by_seat: the tasks on each instance that is to have one.
    :param astray: those on other instances that are to go.
    """
    limits = Limits(desired=len(by_seat), minimum_percent=minimum_percent, maximum_percent=100)
    live = [member for here in by_seat for member in here if not member.is_stopping]
    stop = [each.id for each in astray if not each.is_stopping and not each.is_protected]
    spare = sum(member.is_healthy for member in live) - limits.floor
    old = [member for member in live if not member.is_current and not member.is_protected]
    for member in unhealthy_first(old):
        if member.is_healthy:
            if spare <= 0:
                continue
            spare -= 1
        stop.append(member.id)
    failing = (member.id for member in live if member.is_failing and member.is_current)
    return Plan(stop=tuple(stop), replace=tuple(failing))
