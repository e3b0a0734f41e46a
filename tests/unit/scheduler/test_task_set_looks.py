"""One look at a service's task sets, with the time in hand (ecs-facts 9)."""

from __future__ import annotations

import random

import pytest
from kecs_server.domain.service import DRAINING
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task_set import EXTERNAL
from kecs_server.domain.task_set import STABILIZING
from kecs_server.domain.task_set import STEADY_STATE
from kecs_server.domain.task_set import TaskSet
from kecs_server.scheduler.service_tasks import FIRST_RETRY
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from kecs_server.scheduler.service_tasks import IMPAIRED_AFTER
from made_tasks import made_host
from service_world import World


class Sets(World):
    """A service of `count` tasks that has task sets."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.service.controller = EXTERNAL
        self.service.deployments.clear()
        self.service.history.clear()
        self.service.notices.clear()

    def add(self, number: str, scale: float, *, health_check: bool = False) -> TaskSet:
        task_set = TaskSet(
            arn=f"arn/{number}",
            deployment=self.deployment(number, health_check=health_check),
            scale=scale,
            updated_at=self.now,
            stability_at=self.now,
        )
        task_set.follow(self.service.desired_count, self.now)
        self.service.task_sets.append(task_set)
        return task_set

    def want(self, count: int) -> None:
        self.service.desired_count = count
        for task_set in self.service.task_sets:
            task_set.follow(count, self.now)

    def of(self, task_set: TaskSet) -> list[Task]:
        return [
            task
            for task in self.cluster.tasks.values()
            if task.started_by == task_set.id and task.desired_status == "RUNNING"
        ]


def test_each_keeps_its_own_count() -> None:
    world = Sets(4)
    blue, green = world.add("1", 100.0), world.add("2", 30.0)
    world.settle()
    assert world.counts() == {"1": 4, "2": 2}
    world.exit(world.of(green)[0])
    world.settle()
    assert world.counts() == {"1": 4, "2": 2}
    world.want(1)
    world.settle()
    assert world.counts() == {"1": 1, "2": 1}
    assert (blue.stability, green.stability) == (STEADY_STATE, STEADY_STATE)


def test_steady_after_a_while_of_running() -> None:
    world = Sets(2)
    task_set = world.add("1", 100.0)
    world.run(*world.started())
    assert world.look().look_again_at == world.now + HEALTHY_AFTER
    assert task_set.stability == STABILIZING
    world.now += HEALTHY_AFTER
    world.look()
    assert (task_set.stability, task_set.stability_at) == (STEADY_STATE, world.now)
    assert world.service.is_steady
    steady = "has reached a steady state."
    assert world.texts()[:2] == [steady, f"(service s, taskSet ecs-svc/1) {steady}"]
    told = [(notice.name, notice.more) for notice in world.service.notices]
    assert told == [
        ("TASKSET_STEADY_STATE", {"taskSetArns": [task_set.arn]}),
        ("SERVICE_STEADY_STATE", {}),
    ]


def test_a_dead_task_makes_it_stabilize() -> None:
    world = Sets(1)
    task_set = world.add("1", 100.0)
    world.settle()
    steady_at = task_set.stability_at
    [task] = world.of(task_set)
    world.exit(task)
    [other] = world.started()
    assert (task_set.stability, task_set.stability_at) == (STABILIZING, world.now)
    assert not world.service.is_steady
    assert world.now > steady_at
    assert other.started_by == task_set.id


def test_one_steady_task_set_does_not_make_a_steady_service() -> None:
    world = Sets(1)
    blue = world.add("1", 100.0)
    world.settle()
    world.add("2", 100.0)
    world.look()
    assert blue.stability == STEADY_STATE
    assert not world.service.is_steady


def test_failed_starts_of_one_do_not_hold_the_other() -> None:
    world = Sets(1)
    bad = world.add("1", 100.0)
    [task] = world.started()
    world.stop(task, "TaskFailedToStart")
    assert world.started() == []
    assert world.look().look_again_at == world.now + FIRST_RETRY
    world.add("2", 100.0)
    [other] = world.started()
    assert other.started_by != bad.id
    for _ in range(IMPAIRED_AFTER - 1):
        assert bad.deployment.retry_at is not None
        world.now = bad.deployment.retry_at
        [task] = world.started()
        world.stop(task, "TaskFailedToStart")
    text = "(service s, taskSet ecs-svc/1) is unable to consistently start tasks successfully."
    assert world.texts()[0].startswith(text)


def test_a_failing_task_is_replaced_before_it_goes() -> None:
    world = Sets(1)
    task_set = world.add("1", 100.0, health_check=True)
    [old] = world.started()
    world.run(old)
    world.check(old, "HEALTHY")
    world.look()
    assert task_set.stability == STEADY_STATE
    world.check(old, "UNHEALTHY")
    [new] = world.started()
    assert old.desired_status == "RUNNING"
    world.run(new)
    world.check(new, "HEALTHY")
    world.look()
    assert old.desired_status == "STOPPED"
    assert task_set.stability == STABILIZING
    world.stop(old, "ServiceSchedulerInitiated")
    world.look()
    assert task_set.stability == STEADY_STATE


def test_tasks_leave_an_instance_that_drains() -> None:
    world = Sets(1)
    task_set = world.add("1", 100.0)
    world.settle()
    [task] = world.of(task_set)
    made_host(world.cluster, 2)
    instance = world.cluster.instances[f"{1:032x}"]
    instance.status = DRAINING
    world.cluster.draining.add(instance.arn)
    world.look()
    assert task_set.stability == STABILIZING
    world.settle()
    [other] = world.of(task_set)
    assert other.container_instance_arn != task.container_instance_arn
    assert task_set.stability == STEADY_STATE


def test_protected_tasks_stay() -> None:
    world = Sets(2)
    task_set = world.add("1", 100.0)
    world.settle()
    for task in world.of(task_set):
        task.protected_until = world.now + 1000
    world.want(1)
    world.settle()
    assert world.counts() == {"1": 2}
    assert task_set.stability == STABILIZING
    assert world.texts()[0] == (
        "was unable to reach steady state because task set (ecs-svc/1) was unable to scale in. "
        "Reason: The number of protected tasks are more than the desired count of tasks."
    )
    world.now += 1000
    world.settle()
    assert world.counts() == {"1": 1}


def test_one_that_drains_goes_with_its_last_task() -> None:
    world = Sets(2)
    blue, green = world.add("1", 100.0), world.add("2", 50.0)
    world.settle()
    doomed = world.of(blue)
    doomed[0].protected_until = world.now + 1000
    blue.drain(world.now)
    world.look()
    assert {task.desired_status for task in doomed} == {"STOPPED"}
    assert doomed[0].stopped_reason == "Scaling activity initiated by (deployment ecs-svc/1)"
    assert world.service.task_sets == [blue, green]
    world.settle()
    assert world.service.task_sets == [green]
    assert world.counts() == {"2": 1}
    assert world.service.is_steady


def test_a_deleted_service_ends_with_its_last_task() -> None:
    world = Sets(2)
    task_set = world.add("1", 100.0)
    world.settle()
    tasks = world.of(task_set)
    world.service.status = DRAINING
    task_set.drain(world.now)
    world.look()
    assert {task.desired_status for task in tasks} == {"STOPPED"}
    assert world.service.status == DRAINING
    world.settle()
    assert world.service.status == INACTIVE
    assert world.service.task_sets == []


def test_a_deleted_service_without_task_sets() -> None:
    world = Sets(2)
    world.look()
    assert not world.service.is_steady
    world.service.status = DRAINING
    world.look()
    assert world.service.status == INACTIVE


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_comes_to_its_count(seed: int) -> None:
    chance = random.Random(seed)
    world = Sets(chance.randint(0, 5))
    sets = [world.add(str(n), chance.choice([0.0, 33.0, 50.0, 100.0])) for n in range(3)]
    for _ in range(40):
        live = [task for task in world.cluster.tasks.values() if not task.is_stopped]
        event = chance.choice(["want", "scale", "end", "run", "time"])
        if event == "want":
            world.want(chance.randint(0, 5))
        elif event == "scale":
            chosen = chance.choice(sets)
            chosen.scale = chance.choice([0.0, 20.0, 100.0])
            chosen.follow(world.service.desired_count, world.now)
        elif event == "end" and live:
            task = chance.choice(live)
            ran = task.last_status == Status.RUNNING
            (world.exit if ran else lambda t: world.stop(t, "TaskFailedToStart"))(task)
        elif event == "run":
            waiting = [task for task in live if task.last_status < Status.RUNNING]
            world.run(*(task for task in waiting if task.desired_status == "RUNNING"))
        else:
            world.now += chance.choice([0.1, 1.0, 40.0])
        before = world.counts()
        world.look()
        for number, task_set in enumerate(sets):
            count = world.counts().get(str(number), 0)
            assert count <= max(before.get(str(number), 0), task_set.desired_count)
    world.now += 100
    world.settle()
    counts = {f"ecs-svc/{number}": n for number, n in world.counts().items()}
    assert [counts.get(each.id, 0) for each in sets] == [each.desired_count for each in sets]
    assert {each.stability for each in sets} == {STEADY_STATE}


def test_a_task_on_its_way_out_is_not_steady() -> None:
    world = Sets(2)
    task_set = world.add("1", 100.0)
    world.settle()
    world.want(1)
    world.look()
    assert task_set.stability == STABILIZING
    [leaving] = [task for task in world.cluster.tasks.values() if task.desired_status == "STOPPED"]
    move(leaving, Status.STOPPED, world.now)
    world.look()
    assert task_set.stability == STEADY_STATE
