"""One look at one service, with the time in hand: when it is steady, and what it waits for."""

from __future__ import annotations

import pytest
from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.scheduler.service_tasks import EARLY
from kecs_server.scheduler.service_tasks import FIRST_PAUSE
from kecs_server.scheduler.service_tasks import FIRST_RETRY
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from kecs_server.scheduler.service_tasks import LAST_PAUSE
from service_world import World

STEADY = "(service s) has reached a steady state."


def test_steady_after_a_while_of_running() -> None:
    world = World(2)
    world.run(*world.started())
    assert world.look().look_again_at == world.now + HEALTHY_AFTER
    assert world.service.primary.rollout_state == "IN_PROGRESS"
    assert not world.service.is_steady
    world.now += HEALTHY_AFTER
    assert world.look().look_again_at is None
    assert world.service.primary.rollout_state == "COMPLETED"
    assert world.service.events[0].message == STEADY


def test_each_task_has_to_run_for_a_while() -> None:
    world = World(2)
    first, second = world.started()
    world.run(first)
    world.now += HEALTHY_AFTER * 0.75
    world.run(second)
    world.now += HEALTHY_AFTER * 0.5
    assert world.look().look_again_at == world.now + HEALTHY_AFTER * 0.5
    assert not world.service.is_steady


def test_not_steady_while_a_task_is_missing() -> None:
    world = World(1)
    [task] = world.started()
    world.run(task)
    world.now += HEALTHY_AFTER
    world.look()
    assert world.service.is_steady
    world.exit(task)
    assert world.started() == []
    assert not world.service.is_steady


def test_old_tasks_stay_until_new_ones_are_healthy() -> None:
    world = World(2)
    old = world.started()
    world.run(*old)
    # They serve from the moment that they run: a deployment at once does not stop them.
    world.deploy("2")
    new = world.started()
    world.run(*new)
    assert world.look().look_again_at == world.now + HEALTHY_AFTER
    assert world.live() == {task.id for task in [*old, *new]}
    # Nothing is wrong with the percentages.
    assert "has started" in world.service.events[0].message
    world.now += HEALTHY_AFTER
    world.look()
    assert world.live() == {task.id for task in new}


def test_pauses_grow() -> None:
    world = World(1)
    pauses = [world.pause_after_an_exit() for _ in range(30)]
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=1e-6)
    assert pauses[-1] == pytest.approx(LAST_PAUSE, abs=1e-6)


def test_no_pause_after_a_task_that_stayed_up() -> None:
    world = World(1)
    for _ in range(3):
        world.pause_after_an_exit()
    [task] = world.started()
    world.run(task)
    world.now += EARLY
    world.exit(task)
    [task] = world.started()
    world.run(task)
    world.exit(task)
    assert world.look().look_again_at == pytest.approx(world.now + FIRST_PAUSE)


@pytest.mark.parametrize("code", ["UserInitiated", "TerminationNotice"])
def test_no_pause_after_a_task_that_others_stopped(code: str) -> None:
    world = World(1)
    [task] = world.started()
    world.run(task)
    world.stop(task, code)
    assert len(world.started()) == 1


def test_one_pause_for_tasks_that_exit_together() -> None:
    world = World(10)
    tasks = world.started()
    world.run(*tasks)
    world.exit(*tasks)
    assert world.look().look_again_at == world.now + FIRST_PAUSE
    world.now += FIRST_PAUSE
    assert len(world.started()) == 10


def test_a_pause_is_not_ended_by_another_start() -> None:
    world = World(2)
    first, second = world.started()
    world.run(first)
    world.exit(first)
    world.run(second)
    assert world.started() == []
    assert world.look().look_again_at == world.now + FIRST_PAUSE


def test_a_pause_begins_when_the_task_is_to_be_replaced() -> None:
    """A sidecar may still be stopping."""
    world = World(1)
    [task] = world.started()
    world.run(task)
    task.execution_stopped_at = world.now
    want_stopped(task, "EssentialContainerExited", "r", world.now)
    world._change(task, lambda task: move(task, Status.STOPPING, world.now))
    assert world.started() == []
    world.now += FIRST_PAUSE
    assert len(world.started()) == 1


def test_a_host_port_that_is_taken_is_said_once_and_tried_again() -> None:
    world = World(2)
    world.deploy("2", {"containerPort": 80, "hostPort": 8080, "protocol": "tcp"})
    [first] = world.started()
    for _ in range(3):
        assert world.look().look_again_at == world.now + FIRST_RETRY
        world.now += FIRST_RETRY
    texts = [event.message for event in world.service.events if "unable to place" in event.message]
    [text] = texts
    instance = (first.container_instance_arn or "").rpartition("/")[2]
    assert text == (
        "(service s) was unable to place a task because no container instance met all of its "
        f"requirements. The closest matching (container-instance {instance}) is already using a "
        "port required by your task. For more information, see the Troubleshooting section of the "
        "Amazon ECS Developer Guide."
    )
    world.stop(first, "UserInitiated")
    assert len(world.started()) == 1


def test_one_port_of_two_protocols_is_two() -> None:
    world = World(1)
    world.deploy("2", {"containerPort": 53, "hostPort": 53, "protocol": "tcp"})
    assert len(world.started()) == 1
    world.deploy("3", {"containerPort": 53, "hostPort": 53, "protocol": "udp"})
    assert len(world.started()) == 1


def test_protected_tasks_that_are_too_many_are_told() -> None:
    world = World(3)
    world.settle()
    for task in world.cluster.tasks.values():
        task.protected_until = world.now + 60
    world.service.want(1)
    world.look()
    world.pass_time(1)
    told = (
        "was unable to reach steady state because task set (ecs-svc/1) was unable to scale in. "
        "Reason: The number of protected tasks are more than the desired count of tasks."
    )
    assert world.texts().count(told) == 1
    assert len(world.live()) == 3
    world.pass_time(60)
    assert len(world.live()) == 1
    assert world.texts().count(told) == 1
