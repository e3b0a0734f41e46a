"""The planner holds floor and ceiling at every instant, and comes to an end (ecs-facts 7.6)."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import pytest
from kecs_server.domain.rollout import Limits
from kecs_server.domain.rollout import Member
from kecs_server.domain.rollout import plan


@dataclass(slots=True)
class Simulated:
    """A task of a simulated service."""

    id: str
    is_current: bool
    is_healthy: bool = False
    is_stopping: bool = False

    def member(self) -> Member:
        return Member(
            id=self.id,
            is_current=self.is_current,
            is_healthy=self.is_healthy and not self.is_stopping,
            is_stopping=self.is_stopping,
        )


class Simulation:
    """A service whose tasks start, end and fail in random order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        desired = self.random.randint(1, 12)
        minimum = self.random.choice([0, 25, 50, 75, 100])
        maximum = self.random.choice([100, 125, 150, 200])
        self.limits = Limits(desired=desired, minimum_percent=minimum, maximum_percent=maximum)
        self.tasks = [
            Simulated(f"old-{n}", is_current=False, is_healthy=True) for n in range(desired)
        ]
        self.made = 0

    @property
    def healthy(self) -> int:
        return sum(task.member().is_healthy for task in self.tasks)

    def act(self) -> bool:
        """Do what is planned; says whether that was anything."""
        before = self.healthy
        decided = plan(self.limits, [task.member() for task in self.tasks])
        for task in self.tasks:
            if task.id in decided.stop:
                assert not task.is_stopping
                task.is_stopping = True
        for _ in range(decided.start):
            self.made += 1
            self.tasks.append(Simulated(f"new-{self.made}", is_current=True))
        assert self.healthy >= min(before, self.limits.floor)
        assert len(self.tasks) <= max(self.limits.ceiling, len(self.tasks) - decided.start)
        return bool(decided.start or decided.stop)

    def progress(self, *, failures: bool) -> None:
        """One task moves on: gets healthy, has stopped, or dies."""
        if not self.tasks:
            return
        task = self.random.choice(self.tasks)
        if task.is_stopping or (failures and self.random.random() < 0.1):
            self.tasks.remove(task)
        else:
            task.is_healthy = True

    def is_done(self) -> bool:
        return len(self.tasks) == self.limits.desired and all(
            task.is_current and task.is_healthy and not task.is_stopping for task in self.tasks
        )


@pytest.mark.parametrize("seed", range(200))
def test_floor_and_ceiling_hold_at_every_instant(seed: int) -> None:
    simulation = Simulation(seed)
    for step in range(2000):
        simulation.act()
        simulation.progress(failures=step < 100)
        if step >= 100 and simulation.is_done():
            return
    limits = simulation.limits
    # Nothing can be exchanged where no task may be missing and none be too many.
    assert limits.floor == limits.desired == limits.ceiling


def test_scaling_in_takes_the_pending_first_then_the_newest() -> None:
    def member(id: str, *, is_healthy: bool = True) -> Member:
        return Member(id=id, is_current=True, is_healthy=is_healthy, is_stopping=False)

    members = [member("a"), member("b"), member("c", is_healthy=False), member("d")]
    limits = Limits(desired=2, minimum_percent=100, maximum_percent=200)
    assert plan(limits, members).stop == ("c", "d")


def test_ten_thousand_tasks_are_planned_quickly() -> None:
    members = [
        Member(id=str(n), is_current=n % 2 == 0, is_healthy=True, is_stopping=False)
        for n in range(10_000)
    ]
    began = time.perf_counter()
    decided = plan(Limits(desired=5000, minimum_percent=100, maximum_percent=200), members)
    assert len(decided.stop) == 5000
    # A bound on its growth, not a timing: a planner that is quadratic takes minutes.
    assert time.perf_counter() - began < 5.0
