"""One look at one service, with the time in hand: when it is steady, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.service import Deployment
from kecs_server.domain.service import Service
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.scheduler import services
from kecs_server.scheduler.services import EARLY
from kecs_server.scheduler.services import FIRST_PAUSE
from kecs_server.scheduler.services import FIRST_RETRY
from kecs_server.scheduler.services import HEALTHY_AFTER
from kecs_server.scheduler.services import LAST_PAUSE
from kecs_server.scheduler.services import Outcome

STEADY = "(service s) has reached a steady state."
PREFIX = "arn:aws:ecs:us-east-1:123456789012:"


class World:
    """A service of `count` tasks, its scheduler's looks, and a clock that is set by hand."""

    def __init__(self, count: int) -> None:
        self.now = 1_000_000.0
        self.cluster = Cluster(name="c", arn=PREFIX + "cluster/c", settings=[], request={})
        self.service = Service(
            name="s",
            arn=PREFIX + "service/c/s",
            cluster_arn=self.cluster.arn,
            created_at=self.now,
            created_by="me",
            desired_count=count,
            scheduling_strategy="REPLICA",
            deployment_configuration={"minimumHealthyPercent": 100, "maximumPercent": 200},
            request={},
            settings={},
        )
        self.cluster.services["s"] = self.service
        self.deploy("1")

    def deploy(self, number: str, *mappings: dict[str, Any]) -> None:
        container = {"name": "app", "image": "i", "essential": True, "portMappings": mappings}
        definition = TaskDefinition(
            arn=PREFIX + "task-definition/f:1",
            family="f",
            revision=1,
            body={"containerDefinitions": [container]},
            compatibilities=["EC2"],
            requires_attributes=[],
            registered_at=self.now,
            registered_by="me",
        )
        deployment = Deployment(
            number=number,
            task_definition=definition,
            created_at=self.now,
            updated_at=self.now,
            launch_type="EC2",
        )
        self.service.deployments.insert(0, deployment)
        self.service.is_steady = False

    def look(self) -> Outcome:
        return services.reconcile(self.cluster, self.service, self.now)

    def started(self) -> list[Task]:
        """The tasks that a look starts."""
        before = set(self.cluster.tasks)
        self.look()
        return [task for id, task in self.cluster.tasks.items() if id not in before]

    def run(self, *tasks: Task) -> None:
        for task in tasks:
            self._change(task, lambda task: move(task, Status.RUNNING, self.now))

    def exit(self, *tasks: Task) -> None:
        for task in tasks:
            task.execution_stopped_at = self.now
            self.stop(task, "EssentialContainerExited")

    def stop(self, task: Task, code: str) -> None:
        want_stopped(task, code, "r", self.now)
        self._change(task, lambda task: move(task, Status.STOPPED, self.now))

    def _change(self, task: Task, change: Callable[[Task], None]) -> None:
        before = task.last_status
        change(task)
        services.notice(self.service, task, before, self.now)

    def live(self) -> set[str]:
        return {task.id for task in self.cluster.tasks.values() if task.desired_status == "RUNNING"}

    def pause_after_an_exit(self) -> float:
        """Seconds until a task that has run for an instant is replaced."""
        [task] = self.started()
        self.run(task)
        self.exit(task)
        assert self.started() == []
        due = self.look().look_again_at
        assert due is not None
        pause, self.now = due - self.now, due
        return pause


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
