"""Moving tasks of a service in its steady state to even out Availability Zones (ecs-facts 7.8).

A task is started in the emptiest zone; when it is healthy, one in the fullest is stopped. On AWS it
takes minutes until that begins.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_service import floor_of
from kecs_server.domain.daemon_service import seats
from kecs_server.domain.daemon_service import wish_of
from kecs_server.domain.events import REBALANCING_COMPLETED
from kecs_server.domain.events import REBALANCING_STARTED
from kecs_server.domain.instance import ZONE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.rollout import Member
from kecs_server.domain.service import ENABLED
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.domain.zones import balanced_text
from kecs_server.domain.zones import fullest
from kecs_server.domain.zones import is_balanced
from kecs_server.domain.zones import moves
from kecs_server.domain.zones import unbalanced_text
from kecs_server.scheduler.service_tasks import start
from kecs_server.scheduler.service_tasks import stop
from kecs_server.scheduler.service_tasks import warn


def beside_arrivals(service: Service, tasks: Sequence[Task]) -> Sequence[Task]:
    """The tasks that the desired count is about: those that are to take the place of others in
    another zone count when they are healthy.
    """
    if not service.is_steady:
        # There is other work to do; what has come is as good as any.
        service.arrivals.clear()
    if not service.arrivals:
        return tasks
    service.arrivals &= {task.id for task in tasks if task.desired_status == "RUNNING"}
    return [task for task in tasks if task.id not in service.arrivals]


def rebalance(
    cluster: Cluster,
    service: Service,
    tasks: Sequence[Task],
    members: Mapping[str, Member],
    now: float,
    moments: list[float],
) -> list[Task]:
    """One step of a service that has nothing else to do.

    :param moments: get the time at which more can be done.
    :returns: the tasks that it touched.
    """
    retry_at = service.primary.retry_at
    if not _is_wanted(service) or not (service.is_rebalancing or _has_zones(cluster)):
        return []
    if retry_at is not None and retry_at > now:
        moments.append(retry_at)
        return []
    settled = [each for each in tasks if each.desired_status == "RUNNING"]
    staying = [task for task in settled if task.id not in service.arrivals]
    if service.arrivals:
        healthy = [id for id in service.arrivals if members[id].is_healthy]
        service.arrivals.difference_update(healthy)
        return _leave(cluster, service, staying, members, len(healthy), now)
    # Where all zones are balanced so are those that suit the service, which takes longer to find.
    if not service.is_rebalancing and is_balanced(
        _counts(cluster, cluster.instances.values(), staying)
    ):
        return []
    counts = _counts(cluster, seats(cluster, service), staying)
    if is_balanced(counts):
        if service.is_rebalancing:
            service.is_rebalancing = False
            service.add_event(balanced_text(counts), now)
            service.give_notice(REBALANCING_COMPLETED, now)
        return []
    if not service.is_rebalancing:
        service.is_rebalancing = True
        service.add_event(unbalanced_text(counts), now)
        service.give_notice(REBALANCING_STARTED, now)
    percent = service.deployment_configuration["maximumPercent"]
    room = math.floor(service.desired_count * percent / 100) - len(tasks)
    movable = len(_leaving(cluster, staying, members, fullest(counts)))
    return _arrive(cluster, service, tasks, moves(counts, min(room, movable)), now)


def _is_wanted(service: Service) -> bool:
    """Tasks on Fargate have no zones here; what capacity providers run is left where it is."""
    return (
        service.is_steady
        and service.rebalancing == ENABLED
        and service.current is None
        and service.primary.launch_type == "EC2"
    )


def _has_zones(cluster: Cluster) -> bool:
    """Whether there is more than one; where not, no look at a service costs more for this."""
    return len({each.attributes.get(ZONE) for each in cluster.instances.values()}) > 1


def _counts(
    cluster: Cluster, places: Iterable[ContainerInstance], tasks: Sequence[Task]
) -> dict[str, int]:
    """The tasks in each zone that one of the places is in."""
    counts = {
        zone: 0
        for place in places
        if place.agent_connected and (zone := place.attributes.get(ZONE))
    }
    for arn, number in Counter(task.container_instance_arn for task in tasks).items():
        zone = _zone(cluster, arn)
        if zone in counts:
            counts[zone] += number
    return counts


def _zone(cluster: Cluster, arn: str | None) -> str | None:
    """Where the container instance of this ARN is."""
    place = cluster.instance_at(arn)
    return place.attributes.get(ZONE) if place else None


def _arrive(
    cluster: Cluster, service: Service, tasks: Sequence[Task], zones: Sequence[str], now: float
) -> list[Task]:
    """Start a task in each of the zones, as far as there is room."""
    touched: list[Task] = []
    for zone in zones:
        floor = floor_of(cluster, besides=service, zone=zone)
        place = floor.place(wish_of(service, service.primary))
        if not isinstance(place, ContainerInstance):
            text = (
                f"is unable to place a task in {zone} because no container instance met all of its "
                "requirements."
            )
            warn(service, text, now)
            break
        where = f" in {zone} to AZ Rebalance"
        touched += start(cluster, service, service.primary, 1, tasks, now, [place], where=where)
    service.arrivals |= {task.id for task in touched}
    return touched


def _leave(
    cluster: Cluster,
    service: Service,
    tasks: Sequence[Task],
    members: Mapping[str, Member],
    count: int,
    now: float,
) -> list[Task]:
    """Stop as many tasks as have arrived and are healthy, in the zones that have most."""
    counts = _counts(cluster, seats(cluster, service), tasks)
    touched: list[Task] = []
    while len(touched) < count and counts:
        zone = fullest(counts)
        found = [t for t in _leaving(cluster, tasks, members, zone) if t not in touched]
        if not found:
            del counts[zone]
            continue
        counts[zone] -= 1
        where = f" in {zone} due to AZ rebalancing"
        stop(service, found[-1:], service.primary.id, now, where=where)
        touched += found[-1:]
    return touched


def _leaving(
    cluster: Cluster, tasks: Sequence[Task], members: Mapping[str, Member], zone: str
) -> list[Task]:
    """The tasks of the zone that may be stopped, the oldest first."""
    return [
        task
        for task in tasks
        if _zone(cluster, task.container_instance_arn) == zone and not members[task.id].is_protected
    ]
