"""One look at one daemon, with the time in hand: how it is rolled out over many instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.daemon import IN_PROGRESS
from kecs_server.domain.daemon import ROLLBACK_FAILED
from kecs_server.domain.daemon import ROLLBACK_IN_PROGRESS
from kecs_server.domain.daemon import ROLLBACK_SUCCESSFUL
from kecs_server.domain.daemon import STOPPED
from kecs_server.domain.daemon import SUCCESSFUL
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon import DaemonDeployment
from kecs_server.domain.daemon import DaemonRevision
from kecs_server.domain.daemon import threshold_for
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.daemon_task_definition import body_of
from kecs_server.domain.seats import Seat
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.scheduler import daemons
from kecs_server.scheduler.daemons import EARLY
from kecs_server.scheduler.daemons import FIRST_PAUSE
from kecs_server.scheduler.daemons import HEALTHY_AFTER

PREFIX = "arn:aws:ecs:us-east-1:123456789012:"
PROVIDER = PREFIX + "capacity-provider/mine"


class World:
    """A daemon on instances that come and go, its scheduler's looks, and a clock set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.instances: list[str] = []
        self.alarms: dict[str, str] = {}
        self.cluster = Cluster(name="c", arn=PREFIX + "cluster/c", settings=[], request={})
        self.daemon = Daemon(
            name="d",
            arn=PREFIX + "daemon/c/d",
            cluster_arn=self.cluster.arn,
            created_at=self.now,
            updated_at=self.now,
            request={},
            tags=[],
        )
        self.cluster.daemons["d"] = self.daemon

    def seats(self, cluster: Cluster, providers: Sequence[str]) -> list[Seat]:
        return [Seat(arn, providers[0]) for arn in self.instances]

    def deploy(self, *, drain: float = 25.0, critical: bool = True, **more: Any) -> DaemonRevision:
        """Begin a deployment of a new revision."""
        registered = {
            "family": "f",
            "containerDefinitions": [{"name": "agent", "image": "busybox"}],
        }
        definition = DaemonTaskDefinition(
            arn="arn",
            family="f",
            revision=1,
            body=body_of(registered),
            modes={},
            compatibilities=[],
            requires_attributes=[],
            registered_at=self.now,
            registered_by="me",
        )
        revision = DaemonRevision(
            daemon_arn=self.daemon.arn,
            definition=definition,
            providers=(PROVIDER,),
            propagate_tags="NONE",
            enable_managed_tags=False,
            enable_execute_command=False,
            critical=critical,
            created_at=self.now,
        )
        alarms = {"enable": True, "alarmNames": ["errors"]}
        configuration = {"drainPercent": drain, "bakeTimeInMinutes": 0, "alarms": alarms, **more}
        deployment = DaemonDeployment(
            daemon_arn=self.daemon.arn,
            target=revision,
            sources=[],
            configuration=configuration,
            created_at=self.now,
            threshold=threshold_for(len(self.instances)),
        )
        self.daemon.deploy(deployment, self.now)
        return revision

    @property
    def status(self) -> str:
        return self.daemon.deployment.status

    def look(self) -> daemons.Outcome:
        return daemons.reconcile(self.cluster, self.daemon, self.now, self.alarms)

    def live(self) -> list[Task]:
        return [task for task in self.cluster.daemon_tasks("d") if not task.is_stopped]

    def of(self, revision: DaemonRevision) -> list[Task]:
        return [task for task in self.live() if task.started_by == revision.mark]

    def serving(self) -> set[str | None]:
        """The instances that have a task which is not to stop."""
        return {
            task.container_instance_arn
            for task in self.live()
            if task.last_status == Status.RUNNING and task.desired_status == "RUNNING"
        }

    def go_on(self, *, fail: DaemonRevision | None = None) -> None:
        """What the engine does: tasks run, but for those of one revision, and stop as told."""
        for task in self.live():
            before = task.last_status
            if task.desired_status == "STOPPED":
                move(task, Status.STOPPED, self.now)
            elif fail is not None and task.started_by == fail.mark:
                want_stopped(task, "EssentialContainerExited", "", self.now)
                move(task, Status.STOPPED, self.now)
            else:
                move(task, Status.RUNNING, self.now)
            if task.last_status != before:
                daemons.notice(self.daemon, task, before, self.now)

    def settle(self, *, fail: DaemonRevision | None = None) -> None:
        """Look and go on until the deployment is over."""
        for _ in range(100):
            self.look()
            if not self.daemon.deployment.is_under_way:
                return
            self.go_on(fail=fail)
            self.now += max(HEALTHY_AFTER, 5.0)
        pytest.fail(f"the deployment stays {self.status}")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.instances = [f"i{number}" for number in range(8)]
    monkeypatch.setattr(daemons, "seats", made.seats)
    return made


def test_each_instance_has_one_task(world: World) -> None:
    revision = world.deploy()
    world.look()
    assert world.status == IN_PROGRESS
    placed = [task.container_instance_arn for task in world.of(revision)]
    assert sorted(str(arn) for arn in placed) == world.instances
    world.settle()
    assert world.status == SUCCESSFUL
    assert world.daemon.last is revision
    assert len(world.live()) == 8


@pytest.mark.parametrize(("drain", "least"), [(25.0, 6), (0.0, 7), (12.5, 7), (100.0, 0)])
def test_no_more_instances_than_the_drain_percentage_are_without(
    world: World, drain: float, least: int
) -> None:
    world.deploy()
    world.settle()
    new = world.deploy(drain=drain)
    fewest = 8
    while world.daemon.deployment.is_under_way:
        world.look()
        fewest = min(fewest, len(world.serving()))
        world.go_on()
        world.now += 1.0
    assert fewest == least
    assert len(world.of(new)) == 8


def test_a_new_instance_gets_a_task_and_one_that_goes_loses_its(world: World) -> None:
    revision = world.deploy()
    world.settle()
    world.instances = [*world.instances[1:], "new"]
    world.look()
    (gone,) = [task for task in world.live() if task.desired_status == "STOPPED"]
    assert gone.container_instance_arn == "i0"
    assert "new" in {task.container_instance_arn for task in world.of(revision)}


def test_a_deployment_without_instances_is_done_at_once(world: World) -> None:
    world.instances = []
    world.deploy()
    world.look()
    assert world.status == SUCCESSFUL


def test_it_bakes_after_the_last_instance(world: World) -> None:
    world.deploy(bakeTimeInMinutes=2)
    world.look()
    world.go_on()
    world.now += HEALTHY_AFTER
    outcome = world.look()
    assert outcome.look_again_at == world.now + 120
    world.now += 119
    world.look()
    assert world.status == IN_PROGRESS
    world.now += 1
    world.look()
    assert world.status == SUCCESSFUL


def test_failures_trip_the_breaker_and_bring_back_what_was(world: World) -> None:
    old = world.deploy()
    world.settle()
    new = world.deploy()
    world.settle(fail=new)
    assert world.status == ROLLBACK_SUCCESSFUL
    assert world.daemon.deployment.tripped
    assert len(world.of(old)) == 8
    assert world.of(new) == []


def test_without_a_revision_to_go_back_to_it_stops(world: World) -> None:
    new = world.deploy()
    world.settle(fail=new)
    assert world.status == STOPPED
    world.now += 1000
    before = len(world.cluster.tasks)
    world.look()
    assert len(world.cluster.tasks) == before


def test_a_rollback_can_fail_too(world: World) -> None:
    old = world.deploy()
    world.settle()
    new = world.deploy()
    world.look()
    while world.status != ROLLBACK_IN_PROGRESS:
        world.go_on(fail=new)
        world.now += 5.0
        world.look()
    world.go_on(fail=old)
    world.settle(fail=old)
    assert world.status == ROLLBACK_FAILED


def test_an_alarm_rolls_back_unless_it_rang_before(world: World) -> None:
    world.deploy()
    world.settle()
    world.deploy()
    world.look()
    world.alarms["errors"] = "ALARM"
    world.settle()
    assert world.status == ROLLBACK_SUCCESSFUL
    assert world.daemon.deployment.triggered_alarms == ("errors",)
    world.deploy()
    world.settle()
    assert world.status == SUCCESSFUL


def test_tasks_that_fail_are_replaced_after_a_growing_pause(world: World) -> None:
    revision = world.deploy()
    world.settle()
    world.instances = ["i0"]
    world.look()
    world.go_on(fail=revision)
    for failures in (1, 2, 3):
        world.look()
        world.go_on(fail=revision)
        assert world.daemon.retry_at == world.now + FIRST_PAUSE * 2 ** (failures - 1)
        assert world.look().look_again_at == world.daemon.retry_at
        assert world.of(revision) == []
        world.now = world.daemon.retry_at


def test_a_task_that_ran_is_replaced_at_once(world: World) -> None:
    revision = world.deploy()
    world.settle()
    world.now += EARLY
    world.go_on(fail=revision)
    assert world.daemon.retry_at is None
    world.look()
    assert len(world.of(revision)) == 8
