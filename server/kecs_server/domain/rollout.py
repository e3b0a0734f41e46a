"""The service scheduler's decision: which tasks to start and stop now (ecs-facts 7.6).

Pure: numbers and task states in, starts and stops out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kecs_server.domain.instance import ContainerInstance


class Member(NamedTuple):
    """A task of the service that has not stopped.

    `is_current`: of the PRIMARY deployment. `is_stopping`: its desired status is STOPPED.
    `is_healthy`: it counts for minimumHealthyPercent. `is_protected`: it is not to be stopped.
    `is_failing`: its health checks have failed, so it is to be replaced, protected or not.
    """

    id: str
    is_current: bool
    is_healthy: bool
    is_stopping: bool
    is_protected: bool = False
    is_failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`start`: how many tasks of the PRIMARY deployment to start. `stop`: ids of tasks.
    `replace`: ids of failing tasks to stop. `places`: the container instances that the tasks are
    for, one each; none: wherever there is room.
    """

    start: int = 0
    places: tuple[ContainerInstance, ...] = ()
    stop: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far the number of tasks may leave the desired count while tasks are exchanged."""

    desired: int
    minimum_percent: int
    maximum_percent: int

    @property
    def floor(self) -> int:
        """Healthy tasks that stay."""
        return math.ceil(self.desired * self.minimum_percent / 100)

    @property
    def ceiling(self) -> int:
        """Tasks that may exist, those that are stopping included."""
        return math.floor(self.desired * self.maximum_percent / 100)


def plan(limits: Limits, members: Sequence[Member]) -> Plan:
    """What to do now. `members` are in the order of their creation, oldest first.

    Never brings the healthy tasks under the floor, nor all tasks over the ceiling.
    """
    live = [member for member in members if not member.is_stopping]
    failing = [member for member in live if member.is_failing and member.is_current]
    sound = [member for member in live if not (member.is_failing and member.is_current)]
    stop = _stops(limits, sound)
    stopped = set(stop)
    current = sum(member.is_current for member in sound if member.id not in stopped)
    room = limits.ceiling - len(members)
    missing = max(0, limits.desired - current)
    start = max(0, min(missing, room))
    replaceable = _replaceable(limits, failing, sound, missing - start)
    return Plan(start=start, stop=tuple(stop), replace=replaceable)


def _replaceable(
    limits: Limits, failing: Sequence[Member], sound: Sequence[Member], lacking: int
) -> tuple[str, ...]:
    """A failing task goes when a replacement is healthy, or cannot be started before it goes
    (ecs-facts 8.1).
    """
    healthy = sum(member.is_healthy and member.is_current for member in sound)
    count = max(healthy + len(failing) - limits.desired, lacking)
    return tuple(member.id for member in failing[: max(0, count)])


def _stops(limits: Limits, live: Sequence[Member]) -> list[str]:
    """Old tasks first, then what is too many of the new; in each those not healthy first. Protected
    tasks stay (ecs-facts 10).
    """
    surplus = max(0, sum(member.is_current for member in live) - limits.desired)
    free = [member for member in live if not member.is_protected]
    current = [member for member in free if member.is_current]
    old = [member for member in free if not member.is_current]
    # The newest go first: they have done the least work.
    candidates = unhealthy_first(old) + unhealthy_first(current[::-1])[:surplus]
    spare = sum(member.is_healthy for member in live) - limits.floor
    stop = []
    for member in candidates:
        if member.is_healthy:
            if spare <= 0:
                continue
            spare -= 1
        stop.append(member.id)
    return stop


def unhealthy_first(members: Sequence[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.is_healthy)
