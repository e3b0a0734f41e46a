"""The service scheduler's decision: which tasks to start and stop now (ecs-facts 7.6).

Pure: numbers and task states in, starts and stops out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A task of the service that has not stopped.

    `is_current`: of the PRIMARY deployment. `is_stopping`: its desired status is STOPPED.
    `is_healthy`: it counts for minimumHealthyPercent. `is_protected`: it is not to be stopped.
    """

    id: str
    is_current: bool
    is_healthy: bool
    is_stopping: bool
    is_protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`start`: how many tasks of the PRIMARY deployment to start. `stop`: ids of tasks."""

    start: int = 0
    stop: tuple[str, ...] = ()


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
    stop = _stops(limits, live)
    stopped = set(stop)
    current = sum(member.is_current for member in live if member.id not in stopped)
    room = limits.ceiling - len(members)
    start = max(0, min(limits.desired - current, room))
    return Plan(start=start, stop=tuple(stop))


def _stops(limits: Limits, live: Sequence[Member]) -> list[str]:
    """Old tasks first, then what is too many of the new; in each those not healthy first. Protected
    tasks stay (ecs-facts 10).
    """
    surplus = max(0, sum(member.is_current for member in live) - limits.desired)
    free = [member for member in live if not member.is_protected]
    current = [member for member in free if member.is_current]
    old = [member for member in free if not member.is_current]
    # The newest go first: they have done the least work.
    candidates = _unhealthy_first(old) + _unhealthy_first(current[::-1])[:surplus]
    spare = sum(member.is_healthy for member in live) - limits.floor
    stop = []
    for member in candidates:
        if member.is_healthy:
            if spare <= 0:
                continue
            spare -= 1
        stop.append(member.id)
    return stop


def _unhealthy_first(members: Sequence[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.is_healthy)
