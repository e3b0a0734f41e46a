"""Looks at a DAEMON service: a task on each container instance that suits it (ecs-facts 7.6)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from kecs_server.domain.daemon_service import floor_of
from kecs_server.domain.instance import ACTIVE
from kecs_server.domain.instance import DRAINING
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import integer_resource
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.placement import wish
from kecs_server.domain.rollout import Limits
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from made_tasks import made_host
from service_world import World

WEB = [{"type": "memberOf", "expression": "attribute:role == web"}]
IN_THE_ROOM = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


class Daemons(World):
    """A DAEMON service in a cluster of `count` instances."""

    def __init__(self, count: int, **configuration: Any) -> None:
        super().__init__(0, **{"minimumHealthyPercent": 0, "maximumPercent": 100, **configuration})
        self.cluster.instances.clear()
        self.service.scheduling_strategy = "DAEMON"
        self.cluster.daemon_service_names.add("s")
        for number in range(1, count + 1):
            made_host(self.cluster, number)

    def instance(self, number: int) -> ContainerInstance:
        return self.cluster.instances[f"{number:032x}"]

    def existing(self) -> list[Task]:
        return [task for task in self.cluster.tasks.values() if not task.is_stopped]

    def places(self, status: str = "RUNNING") -> list[int]:
        """The numbers of the instances with tasks that are to be so."""
        arns = [t.container_instance_arn for t in self.existing() if t.desired_status == status]
        return sorted(int((arn or "").rpartition("/")[2], 16) for arn in arns)

    def drain(self, number: int) -> None:
        self.instance(number).status = DRAINING
        self.cluster.draining.add(self.instance(number).arn)

    def end_stopping(self) -> None:
        for task in self.existing():
            if task.desired_status == "STOPPED":
                self._change(task, lambda task: move(task, Status.STOPPED, self.now))

    def replica(self, number: int) -> Task:
        """A running task of a REPLICA service on the instance."""
        launch = Launch(
            account="1" * 12,
            region="us-east-1",
            cluster=self.cluster,
            definition=self.service.primary.task_definition,
            launch_type="EC2",
            group="service:web",
            now=self.now,
            instance=self.instance(number),
            service_name="web",
        )
        return new_task(launch)


def test_one_task_on_each_instance() -> None:
    world = Daemons(3)
    world.settle()
    assert world.places() == [1, 2, 3]
    assert world.service.desired_count == world.service.primary.desired_count == 3
    assert world.service.is_steady


def test_none_where_there_is_no_instance() -> None:
    world = Daemons(0)
    world.settle()
    assert (world.places(), world.service.desired_count) == ([], 0)
    assert world.service.primary.rollout_state == "COMPLETED"


def test_an_instance_that_comes_gets_a_task() -> None:
    world = Daemons(1)
    world.settle()
    made_host(world.cluster, 2)
    world.look()
    assert (world.places(), world.service.desired_count) == ([1, 2], 2)
    told = [each for each in world.service.notices if "COUNT" in each.name]
    assert [each.more["desiredCount"] for each in told] == [1, 2]
    assert len(world.service.deployments) == 1


def test_a_task_that_ends_is_replaced_where_it_was() -> None:
    world = Daemons(2)
    world.settle()
    world.now += 60
    world.exit(next(iter(world.existing())))
    world.look()
    assert world.places() == [1, 2]


@pytest.mark.parametrize("status", [DRAINING, "INACTIVE"])
def test_an_instance_that_goes_loses_its_task(status: str) -> None:
    world = Daemons(2)
    world.settle()
    world.instance(1).status = status
    world.look()
    assert (world.places(), world.places("STOPPED")) == ([2], [1])
    assert world.service.desired_count == 1
    assert not world.service.is_steady
    world.end_stopping()
    world.settle()
    assert (world.places(), world.texts()[0]) == ([2], "has reached a steady state.")
    world.instance(1).status = ACTIVE
    world.look()
    assert world.places() == [1, 2]


def test_it_is_the_last_to_leave_an_instance_that_drains() -> None:
    world = Daemons(1)
    world.settle()
    replica = world.replica(1)
    world.drain(1)
    world.look()
    assert world.places("STOPPED") == []
    assert world.service.desired_count == 0
    world.stop(replica, "ServiceSchedulerInitiated")
    world.look()
    assert world.places("STOPPED") == [1]


def test_only_instances_that_its_constraints_allow() -> None:
    world = Daemons(2)
    world.instance(1).attributes["role"] = "web"
    world.service.settings["placementConstraints"] = WEB
    world.settle()
    assert (world.places(), world.service.desired_count) == ([1], 1)
    # Running tasks are held to them, too.
    del world.instance(1).attributes["role"]
    world.instance(2).attributes["role"] = "web"
    world.look()
    assert (world.places(), world.places("STOPPED")) == ([2], [1])
    [told] = [each for each in world.service.notices if each.event_type == "ERROR"]
    assert told.name == "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
    assert told.more == {"containerInstanceArns": [world.instance(1).arn]}


@pytest.mark.parametrize(
    "expression",
    ["runningTasksCount < 1", "not(task:group == service:s)"],
)
def test_its_own_tasks_do_not_count_in_its_constraints(expression: str) -> None:
    world = Daemons(2)
    constraints = [{"type": "memberOf", "expression": expression}, {"type": "distinctInstance"}]
    world.service.settings["placementConstraints"] = constraints
    world.settle()
    assert (world.places(), world.service.is_steady) == ([1, 2], True)


def test_no_instances_of_another_system() -> None:
    world = Daemons(2)
    world.instance(1).attributes["ecs.os-type"] = "windows"
    world.look()
    assert (world.places(), world.service.desired_count) == ([2], 1)


def test_where_there_is_no_room_it_says_so_and_waits() -> None:
    world = Daemons(2)
    world.instance(1).resources = [integer_resource("CPU", 1024), integer_resource("MEMORY", 0)]
    world.cluster.tasks.clear()
    world.service.primary.task_definition.body["containerDefinitions"][0]["memory"] = 64
    world.settle()
    assert (world.places(), world.service.desired_count) == ([2], 2)
    [text] = [text for text in world.texts() if "unable" in text]
    assert text.startswith(
        "was unable to place a task because no container instance met all of its requirements. "
        f"The closest matching (container-instance {1:032x}) has insufficient memory available."
    )
    assert not world.service.is_steady
    assert world.look().look_again_at
    world.instance(1).resources = world.instance(2).resources
    world.look()
    assert world.places() == [1, 2]


def test_more_tasks_than_one_look_starts() -> None:
    world = Daemons(120)
    assert [len(world.started()) for _ in range(4)] == [50, 50, 20, 0]


def test_places_without_room_do_not_hide_those_with_room() -> None:
    world = Daemons(60)
    for number in range(1, 56):
        world.instance(number).agent_connected = False
    assert len(world.started()) == 5
    assert world.service.desired_count == 60


def test_an_update_takes_an_old_task_before_it_starts_the_new() -> None:
    world = Daemons(2)
    world.settle()
    world.deploy("2")
    world.look()
    assert (world.places(), world.places("STOPPED")) == ([], [1, 2])
    world.end_stopping()
    world.look()
    assert world.places() == [1, 2]
    assert world.counts() == {"2": 2}
    world.settle()
    assert [each.number for each in world.service.deployments] == ["2"]
    assert world.service.is_steady


def test_an_update_keeps_the_minimum() -> None:
    world = Daemons(4, minimumHealthyPercent=50)
    world.settle()
    world.deploy("2")
    world.look()
    assert len(world.places("STOPPED")) == 2
    world.end_stopping()
    world.run(*world.started())
    world.look()
    assert world.counts() == {"1": 2, "2": 2}
    world.pass_time(HEALTHY_AFTER)
    assert world.counts() == {"2": 2}


def test_a_minimum_of_all_blocks_an_update() -> None:
    world = Daemons(2, minimumHealthyPercent=100)
    world.settle()
    world.deploy("2")
    world.settle()
    assert world.counts() == {"1": 2}
    assert "was unable to stop or start tasks during a deployment" in world.texts()[0]


def test_a_task_whose_health_checks_fail_is_stopped_first() -> None:
    world = Daemons(1)
    world.deploy("2", health_check=True)
    [task] = world.started()
    world.run(task)
    world.check(task, "UNHEALTHY")
    world.look()
    assert world.places("STOPPED") == [1]
    assert world.service.primary.failed_tasks == 1
    world.end_stopping()
    assert len(world.started()) == 1


def test_the_circuit_breaker_rolls_back() -> None:
    breaker = {"enable": True, "rollback": True}
    world = Daemons(2, deploymentCircuitBreaker=breaker)
    world.settle()
    world.deploy("2")
    world.look()
    world.end_stopping()
    world.fail_starts(3)
    world.look()
    assert "rolling back to deployment ecs-svc/1." in world.texts()
    world.settle()
    [number] = world.counts()
    assert number not in ("1", "2")
    assert world.places() == [1, 2]
    assert world.service.is_steady


def test_after_a_failure_without_rollback_the_last_that_completed_fills_up() -> None:
    world = Daemons(3, minimumHealthyPercent=60, deploymentCircuitBreaker={"enable": True})
    world.settle()
    world.deploy("2")
    world.look()
    world.end_stopping()
    world.fail_starts(3)
    world.settle()
    assert world.service.primary.rollout_state == "FAILED"
    assert world.counts() == {"1": 3}


def test_a_first_deployment_that_fails_starts_no_more() -> None:
    world = Daemons(2, deploymentCircuitBreaker={"enable": True})
    world.fail_starts(3)
    world.look()
    assert world.service.primary.rollout_state == "FAILED"
    for task in world.existing():
        world.stop(task, "TaskFailedToStart")
    world.now += 100
    assert world.started() == []


def test_a_protected_task_stays() -> None:
    world = Daemons(1)
    world.settle()
    [task] = world.existing()
    task.protected_until = world.now + 60
    world.deploy("2")
    world.drain(1)
    world.look()
    assert world.places("STOPPED") == []
    world.pass_time(61)
    assert world.places("STOPPED") == [1]


def test_a_deleted_service_stops_them_all() -> None:
    world = Daemons(2)
    world.settle()
    world.service.status = "DRAINING"
    world.look()
    assert world.places("STOPPED") == [1, 2]
    world.end_stopping()
    world.look()
    assert world.service.status == "INACTIVE"


def test_room_is_kept_for_a_task_that_is_to_come() -> None:
    world = Daemons(2)
    definition = world.service.primary.task_definition
    definition.body["containerDefinitions"][0].update(portMappings=[IN_THE_ROOM])
    wanted = wish(definition, group="service:web", launch_type="EC2")
    assert not isinstance(floor_of(world.cluster).place(wanted), ContainerInstance)
    assert isinstance(floor_of(world.cluster, world.service).place(wanted), ContainerInstance)
    world.service.status = "INACTIVE"
    assert isinstance(floor_of(world.cluster).place(wanted), ContainerInstance)


ACTIONS = st.sampled_from(["run", "stopped", "exit", "fail", "drain", "activate", "add", "deploy"])


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 5),
    minimum=st.sampled_from([0, 30, 50, 100]),
    actions=st.lists(st.tuples(ACTIONS, st.integers(0, 20)), max_size=20),
)
def test_never_two_on_one_instance_nor_fewer_than_the_minimum(
    count: int, minimum: int, actions: list[tuple[str, int]]
) -> None:
    world = Daemons(count, minimumHealthyPercent=minimum)
    world.settle()

    def healthy() -> int:
        seats = {i.arn for i in world.cluster.instances.values() if i.status == ACTIVE}
        return sum(
            task.desired_status == "RUNNING"
            and task.last_status == Status.RUNNING
            and task.container_instance_arn in seats
            for task in world.existing()
        )

    def look() -> None:
        before = healthy()
        world.look()
        limits = Limits(
            desired=world.service.desired_count, minimum_percent=minimum, maximum_percent=100
        )
        assert healthy() >= min(before, limits.floor)
        taken = Counter(task.container_instance_arn for task in world.existing())
        assert all(n == 1 for n in taken.values())

    for step, (action, which) in enumerate(actions):
        tasks, instances = world.existing(), list(world.cluster.instances.values())
        task = tasks[which % len(tasks)] if tasks else None
        instance = instances[which % len(instances)] if instances else None
        if action == "add" and len(instances) < 8:
            made_host(world.cluster, len(instances) + 1)
        elif action == "deploy":
            world.deploy(str(100 + step))
        elif action == "drain" and instance is not None:
            world.drain(int(instance.id, 16))
        elif action == "activate" and instance is not None:
            instance.status = ACTIVE
            world.cluster.draining.discard(instance.arn)
        elif task is not None and task.desired_status == "STOPPED":
            world.end_stopping()
        elif action == "run" and task is not None and task.last_status < Status.RUNNING:
            world.run(task)
        elif action == "exit" and task is not None and task.last_status == Status.RUNNING:
            world.exit(task)
        elif action == "fail" and task is not None and task.last_status < Status.RUNNING:
            world.stop(task, "TaskFailedToStart")
        look()
        world.now += HEALTHY_AFTER
    world.now += 100
    world.settle()
    active = [i for i in world.cluster.instances.values() if i.status == ACTIVE]
    assert world.service.desired_count == len(world.existing()) == len(active)
    if minimum == 0:
        assert world.service.is_steady
