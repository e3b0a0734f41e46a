"""A task set's share of its service's desired count (ecs-facts 9)."""

from __future__ import annotations

import pytest
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.task_set import STABILIZING
from kecs_server.domain.task_set import STEADY_STATE
from kecs_server.domain.task_set import TaskSet
from made_tasks import made_definition


def made(scale: float) -> TaskSet:
    definition = made_definition({"containerDefinitions": []})
    deployment = Deployment(task_definition=definition, created_at=0.0, updated_at=0.0)
    return TaskSet(arn="a", deployment=deployment, scale=scale, updated_at=0.0, stability_at=0.0)


@pytest.mark.parametrize(
    ("scale", "count", "share"),
    [
        (100.0, 7, 7),
        (0.0, 7, 0),
        (50.0, 0, 0),
        (50.0, 3, 2),
        (12.0, 10, 2),
        (0.1, 1, 1),
        # In binary fractions a little more than a whole number.
        (1.1, 3000, 33),
    ],
)
def test_share_is_rounded_up(scale: float, count: int, share: int) -> None:
    task_set = made(scale)
    task_set.follow(count, 1.0)
    assert task_set.desired_count == share


def test_another_count_makes_it_stabilize() -> None:
    task_set = made(50.0)
    task_set.follow(4, 1.0)
    task_set.become(STEADY_STATE, 2.0)
    task_set.follow(3, 3.0)
    assert (task_set.stability, task_set.stability_at) == (STEADY_STATE, 2.0)
    task_set.follow(5, 4.0)
    assert (task_set.stability, task_set.stability_at) == (STABILIZING, 4.0)


def test_one_that_drains_follows_no_more() -> None:
    task_set = made(100.0)
    task_set.follow(4, 1.0)
    task_set.drain(2.0)
    assert (task_set.desired_count, task_set.updated_at) == (0, 2.0)
    task_set.follow(9, 3.0)
    task_set.drain(4.0)
    assert (task_set.desired_count, task_set.updated_at) == (0, 2.0)
