"""What a DAEMON service wants at one look: a task on each container instance (ecs-facts 7.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace

from kecs_server.domain import deploying
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon_service import may_leave
from kecs_server.domain.daemon_service import plan
from kecs_server.domain.daemon_service import seats
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.rollout import Member
from kecs_server.domain.rollout import Plan
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.scheduler import notices


def planned(
    cluster: Cluster,
    service: Service,
    tasks: Sequence[Task],
    members: Mapping[str, Member],
    now: float,
) -> tuple[Deployment, Plan]:
    """What is to be stopped, and where tasks of which deployment are to start. While older tasks
    are not exchanged (before a rolling update begins, and after one that failed) the deployment
    that completed last fills up what is missing.
    """
    live = Counter(task.started_by or "" for task in tasks if task.desired_status == "RUNNING")
    held = deploying.held(service, live)
    filler: Deployment | None = service.primary
    if held is not None:
        completed = service.last_completed
        filler = completed if completed is not None and completed.id in held else None
    places = seats(cluster, service)
    here: dict[str | None, list[Task]] = {place.arn: [] for place in places}
    astray: list[Task] = []
    for task in tasks:
        here.get(task.container_instance_arn, astray).append(task)

    def member(task: Task) -> Member:
        is_current = held is not None or task.started_by == service.primary.id
        return members[task.id]._replace(is_current=is_current)

    decided = plan(
        service.deployment_configuration["minimumHealthyPercent"],
        [[member(task) for task in own] for own in here.values()],
        [member(task) for task in astray if may_leave(cluster, task)],
    )
    notices.tell_violations(cluster, service, [t for t in astray if t.id in decided.stop], now)
    if filler is None:
        return service.primary, decided
    empty = tuple(place for place in places if not here[place.arn])
    return filler, replace(decided, start=len(empty), places=empty)
