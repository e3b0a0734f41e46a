"""How often a task may ask."""

from __future__ import annotations

import pytest
from kecs_server.metadata import throttle
from kecs_server.metadata.throttle import BURST
from kecs_server.metadata.throttle import RATE
from kecs_server.metadata.throttle import Throttle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now[0])
    return now


def admitted(limits: Throttle, task: str = "a", of: int = 200) -> int:
    return sum(limits.admits(task) for _ in range(of))


def test_a_burst_and_then_the_rate(clock: list[float]) -> None:
    limits = Throttle()
    assert admitted(limits) == BURST
    clock[0] += 0.5
    assert admitted(limits) == RATE / 2
    clock[0] += 60
    assert admitted(limits) == BURST


def test_each_task_by_itself(clock: list[float]) -> None:
    limits = Throttle()
    assert [admitted(limits, task) for task in "ab"] == [BURST, BURST]


def test_many_tasks_do_not_forget_who_has_just_asked(clock: list[float]) -> None:
    limits = Throttle()
    admitted(limits)
    clock[0] += 1 / RATE
    for number in range(throttle._MANY + 1):
        limits.admits(str(number))
        clock[0] += 1e-6
    assert admitted(limits) == 1
