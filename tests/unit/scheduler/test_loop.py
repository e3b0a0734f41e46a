"""The scheduler's thread with an engine in memory: every task gets to its end, whatever happens."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import pytest
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deploying import begin
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.hosts import Hosts
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.instance import Host
from kecs_server.domain.launch import Launch
from kecs_server.domain.launch import new_task
from kecs_server.domain.references import Resources
from kecs_server.domain.service import DRAINING
from kecs_server.domain.service import INACTIVE
from kecs_server.domain.service import SERVICE_RETENTION
from kecs_server.domain.service import Service
from kecs_server.domain.task import TASK_RETENTION
from kecs_server.domain.task import Task
from kecs_server.domain.task import orphan
from kecs_server.domain.task import want_stopped
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.host import EngineHost
from kecs_server.engines.logs import ContainerLog
from kecs_server.network.network import Network
from kecs_server.scheduler.agent import ResourcesFetched
from kecs_server.scheduler.loop import Scheduler
from kecs_server.scheduler.service_tasks import STARTS_AT_ONCE
from kecs_server.state.realm import Realm
from made_tasks import made_host

PATIENCE = 20.0


class MemoryEngine:
    """Keeps the contract of `engines.base` with nothing behind it.

    `fate` says of each container that is to start: None for running on, else its exit code; a
    negative one means that it cannot start.
    """

    name = "memory"

    def __init__(self) -> None:
        self.specs: dict[str, TaskSpec] = {}
        self.running: dict[str, set[str]] = {}
        self.discarded: list[str] = []
        self.fate: Callable[[str], int | None] = lambda name: None
        self.open_error: EngineError | None = None
        self.broken: Exception | None = None
        self.observe: Observer = lambda observation: None

    def open(self, observe: Observer, progress: Callable[[str], None]) -> None:
        self.observe = observe
        if self.open_error is not None:
            raise self.open_error

    def hosts(self) -> Sequence[Host]:
        return ()

    def provision(self, spec: TaskSpec) -> None:
        if self.broken is not None:
            raise self.broken
        self.specs[spec.task_id] = spec
        self.running[spec.task_id] = set()
        self.observe(Provisioned(task_id=spec.task_id))

    def start_container(self, task_id: str, container: str) -> None:
        if task_id not in self.running:
            return
        code = self.fate(container)
        if code is not None and code < 0:
            self._ended(task_id, container, None)
            return
        self.running[task_id].add(container)
        self.observe(ContainerStarted(task_id=task_id, container=container, runtime_id="r"))
        if code is not None:
            self._ended(task_id, container, code)

    def stop_containers(self, task_id: str, containers: Sequence[str]) -> None:
        for container in self.running.get(task_id, set()) & set(containers):
            self._ended(task_id, container, 143)

    def remove(self, task_id: str) -> None:
        if task_id not in self.running:
            return
        for container in list(self.running[task_id]):
            self._ended(task_id, container, 137)
        del self.running[task_id]
        self.observe(Removed(task_id=task_id))

    def discard(self, task_id: str) -> None:
        self.discarded.append(task_id)

    def logs(self, task_id: str, container: str) -> ContainerLog:
        raise KeyError(task_id)

    def close(self) -> None:
        self.running.clear()

    def lose(self, task_id: str) -> None:
        for container in list(self.running.pop(task_id)):
            self._ended(task_id, container, None)
        self.observe(TaskLost(task_id=task_id, reason="pulled the plug"))

    def _ended(self, task_id: str, container: str, code: int | None) -> None:
        self.running.get(task_id, set()).discard(container)
        self.observe(ContainerStopped(task_id=task_id, container=container, exit_code=code))


class World:
    """A realm with one cluster, run by a real scheduler thread."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.fetched: list[str] = []
        self.host = EngineHost(lambda: self.engine, self._observe)
        network = Network(lambda name: self.host.engine)
        self.scheduler = Scheduler(
            {"memory": self.host},
            network,
            lambda realm, task: self.spec(task),
            self.fetch,
            lambda realm, cluster, service, call: None,
            lambda realm, task, target: None,
        )
        self.realm = self.new_realm()
        self.cluster = Cluster(name="c", arn=arn("cluster/c"), settings=[], request={})
        self.realm.store(ACCOUNT, REGION).clusters["c"] = self.cluster
        made_host(self.cluster)
        self.definition = definition("app")
        self.scheduler.start()

    def new_realm(self) -> Realm:
        return Realm(id="r", name="r", engine="memory", images={}, wake=self.scheduler.wake)

    def _observe(self, observation: Observation) -> None:
        self.scheduler.observe(observation)

    def spec(self, task: Task) -> TaskSpec:
        return TaskSpec(task_id=task.id, task_arn=task.arn, family="f", containers=())

    def fetch(self, realm: Realm, task: Task) -> None:
        self.fetched.append(task.id)

    def run(self) -> Task:
        with self.realm.changing():
            task = new_task(
                Launch(
                    account=ACCOUNT,
                    region=REGION,
                    cluster=self.cluster,
                    definition=self.definition,
                    launch_type="EC2",
                    group="g",
                    now=self.realm.clock.now(),
                )
            )
            self.realm.touch_task(self.cluster, task)
        return task

    def stop(self, task: Task) -> None:
        with self.realm.changing():
            want_stopped(task, "UserInitiated", "enough", self.realm.clock.now())
            self.realm.touch_task(self.cluster, task)

    def serve(self, count: int, *, minimum: int = 100, maximum: int = 200) -> Service:
        service = Service(
            name="s",
            arn=arn("service/c/s"),
            cluster_arn=self.cluster.arn,
            created_at=0.0,
            created_by="me",
            desired_count=count,
            scheduling_strategy="REPLICA",
            deployment_configuration={
                "minimumHealthyPercent": minimum,
                "maximumPercent": maximum,
            },
            request={},
            settings={},
        )
        begin(service, self.deployment("1"), 0.0)
        self.cluster.services["s"] = service
        self.change(service, lambda: service.want(count))
        return service

    def deployment(self, number: str) -> Deployment:
        return Deployment(
            number=number,
            task_definition=self.definition,
            created_at=0.0,
            updated_at=0.0,
            launch_type="EC2",
        )

    def change(self, service: Service, action: Callable[[], object]) -> None:
        with self.realm.changing():
            action()
            service.is_steady = False
            self.realm.touch_service(self.cluster, service)

    def wait(self, has_come: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with self.realm.reading():
                version = self.realm.version
                if has_come():
                    return
            assert self.realm.wait(version, deadline) > version, "it never came"

    def wait_running(self, task: Task) -> None:
        self.wait(lambda: task.last_status.name == "RUNNING")

    def live(self) -> list[Task]:
        return [task for task in self.cluster.tasks.values() if not task.is_stopped]

    def close(self) -> None:
        self.scheduler.stop()
        self.host.close()


ACCOUNT, REGION = "1" * 12, "us-east-1"


def arn(resource: str) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}"


def definition(*names: str, essential: bool = True) -> TaskDefinition:
    containers = [
        {"name": name, "image": "i", "essential": essential or name == "app", "environment": []}
        for name in names
    ]
    return TaskDefinition(
        arn=arn("task-definition/f:1"),
        family="f",
        revision=1,
        body={"containerDefinitions": containers},
        compatibilities=["EC2"],
        requires_attributes=[],
        registered_at=0.0,
        registered_by="me",
    )


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()
    assert "scheduler" not in {thread.name for thread in threading.enumerate()}


def test_a_task_runs_and_is_stopped(world: World) -> None:
    task = world.run()
    world.wait(lambda: task.last_status.name == "RUNNING")
    world.stop(task)
    world.wait(lambda: task.is_stopped)
    assert [container.exit_code for container in task.containers] == [143]
    # What happened is on the timeline, in order.
    texts = [entry.text for entry in world.realm.timeline if entry.subject == task.arn]
    assert texts == [
        "PENDING (f)",
        "container app RUNNING",
        "RUNNING",
        "to be stopped: UserInitiated: enough",
        "STOPPING",
        "container app STOPPED, exit code 143",
        "STOPPED",
    ]


def test_a_daemon_service_follows_the_hosts(world: World) -> None:
    service = world.serve(0, minimum=0, maximum=100)

    def make_daemon() -> None:
        service.scheduling_strategy = "DAEMON"
        world.cluster.daemon_service_names.add("s")

    world.change(service, make_daemon)
    world.wait(lambda: len(world.live()) == 1)
    two = tuple(Host(cpu=1024, memory=1024, node=name) for name in ("a", "b"))
    seen = Hosts(usable=two, nodes=frozenset({"a", "b"}))
    world.realm.hosts_changed(Hosts(usable=(UNKNOWN_HOST,)), seen)
    assert service.desired_count == 2
    world.wait(lambda: len(world.live()) == 2 and service.is_steady)
    world.realm.hosts_changed(seen, Hosts(usable=two[:1], nodes=frozenset({"a"})))
    world.wait(lambda: [task.node for task in world.live()] == [None] and service.is_steady)


def test_an_orphan_runs_on_until_its_realm_ends(world: World) -> None:
    task = world.run()
    world.wait_running(task)
    with world.realm.changing():
        orphan(task, world.realm.clock.now())
        world.realm.touch_task(world.cluster, task)
    assert task.is_stopped
    assert [(each.last_status, each.exit_code) for each in task.containers] == [("STOPPED", None)]
    world.realm.clock.advance(TASK_RETENTION + 1)
    world.scheduler.wake(world.realm)
    world.wait(lambda: task.id not in world.cluster.tasks)
    other = world.run()
    world.wait_running(other)
    assert world.engine.running[task.id] == {"app"}
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    assert world.engine.running == {}
    assert set(world.engine.discarded) == {task.id, other.id}


def test_a_task_that_was_told_to_stop_does_so_when_its_instance_goes(world: World) -> None:
    task = world.run()
    world.wait_running(task)
    with world.realm.changing():
        want_stopped(task, "UserInitiated", "enough", world.realm.clock.now())
        orphan(task, world.realm.clock.now())
        world.realm.touch_task(world.cluster, task)
    world.wait(lambda: task.is_stopped)
    assert [each.exit_code for each in task.containers] == [143]


def test_a_lost_task(world: World) -> None:
    task = world.run()
    world.wait(lambda: task.last_status.name == "RUNNING")
    world.engine.lose(task.id)
    world.wait(lambda: task.is_stopped)
    assert [container.exit_code for container in task.containers] == [None]


def test_an_engine_that_cannot_open(world: World) -> None:
    world.engine.open_error = EngineError("no docker here")
    first = world.run()
    world.wait(lambda: first.is_stopped)
    assert first.stop_code == "TaskFailedToStart"
    second = world.run()
    world.wait(lambda: second.is_stopped)
    assert second.stopped_reason in ("no docker here", "Task failed to start")


@pytest.mark.parametrize("cause", ["spec", "engine"])
def test_a_task_that_cannot_be_given_to_its_engine(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    cause: str,
) -> None:
    """A fault of ours ends the task with a reason; the thread goes on."""
    good = world.run()
    world.wait(lambda: good.last_status.name == "RUNNING")

    def fail(task: Task) -> TaskSpec:
        raise KeyError("name")

    with caplog.at_level(logging.CRITICAL, "kecs_server"):
        if cause == "spec":
            monkeypatch.setattr(world, "spec", fail)
        else:
            world.engine.broken = RuntimeError("name")
        bad = world.run()
        world.wait(lambda: bad.is_stopped)
    assert bad.stop_code == "TaskFailedToStart"
    world.stop(good)
    world.wait(lambda: good.is_stopped)


def test_the_end_of_a_realm(world: World) -> None:
    tasks = [world.run() for _ in range(5)]
    world.wait(lambda: all(task.last_status.name == "RUNNING" for task in tasks))
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    assert world.engine.running == {}
    assert set(world.engine.discarded) == {task.id for task in tasks}


def test_the_end_of_an_empty_realm(world: World) -> None:
    assert world.scheduler.end(world.new_realm()).wait(PATIENCE)


def test_an_engine_is_not_opened_for_tasks_that_it_never_had(world: World) -> None:
    with world.realm.reading():
        # The scheduler gets to see the task when it has been stopped.
        world.stop(world.run())
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    assert world.host.state().state == "idle"


def test_the_end_of_a_realm_whose_tasks_have_stopped(world: World) -> None:
    task = world.run()
    world.wait(lambda: task.last_status.name == "RUNNING")
    world.stop(task)
    world.wait(lambda: task.is_stopped)
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    assert task.id in world.engine.discarded


def test_the_end_of_a_realm_at_any_moment(world: World) -> None:
    for seed in range(30):
        realm = world.realm = world.new_realm()
        world.cluster = Cluster(name="c", arn=arn("cluster/c"), settings=[], request={})
        realm.store(ACCOUNT, REGION).clusters["c"] = world.cluster
        chance = random.Random(seed)
        tasks = [world.run() for _ in range(chance.randint(0, 5))]
        for task in tasks:
            if chance.random() < 0.5:
                world.stop(task)
        assert world.scheduler.end(realm).wait(PATIENCE)
        assert world.engine.running == {}


def test_the_end_of_a_realm_whose_task_waits_for_its_secrets(world: World) -> None:
    world.definition.body["containerDefinitions"][0]["secrets"] = [{"name": "A", "valueFrom": "/a"}]
    task = world.run()
    world.wait(lambda: task.fetch_asked)
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    world.scheduler.observe(ResourcesFetched(task_id=task.id, resources=Resources()))
    other = world.realm = world.new_realm()
    other.store(ACCOUNT, REGION).clusters["c"] = world.cluster
    world.definition = definition("app")
    world.wait_running(world.run())
    assert world.fetched == [task.id]
    assert task.id not in world.engine.specs


def test_forgotten_tasks(world: World) -> None:
    task = world.run()
    world.wait(lambda: task.last_status.name == "RUNNING")
    with world.realm.changing():
        del world.cluster.tasks[task.id]
    world.scheduler.forget(world.realm, [task])
    world.wait(lambda: task.id in world.engine.discarded)
    assert world.engine.running == {}


def test_a_stopped_task_is_let_go_after_its_retention(world: World) -> None:
    task = world.run()
    world.wait_running(task)
    with world.realm.changing():
        want_stopped(task, "UserInitiated", "test", world.realm.clock.now())
        world.realm.touch_task(world.cluster, task)
    world.wait(lambda: task.is_stopped and task.id not in world.scheduler._placed)
    assert task.id in world.cluster.tasks
    world.realm.clock.advance(TASK_RETENTION)
    world.scheduler.wake(world.realm)
    world.scheduler.stop()
    assert task.id not in world.cluster.tasks
    assert task.id in world.engine.discarded


def test_a_deleted_service_is_let_go_after_its_retention(world: World) -> None:
    service = world.serve(1)
    world.wait(lambda: service.is_steady)

    def delete() -> None:
        service.status = DRAINING
        service.want(0)

    world.change(service, delete)
    world.wait(lambda: service.status == INACTIVE)
    world.realm.clock.advance(SERVICE_RETENTION - 60)
    world.scheduler.wake(world.realm)
    assert service.name in world.cluster.services
    world.realm.clock.advance(60)
    world.scheduler.wake(world.realm)
    world.scheduler.stop()
    assert service.name not in world.cluster.services


def test_a_service_keeps_its_count(world: World) -> None:
    service = world.serve(3)
    world.wait(lambda: service.is_steady)
    first = {task.id for task in world.live()}
    assert len(first) == 3
    for lost in first:
        world.engine.lose(lost)
    world.wait(lambda: service.is_steady and not first & {task.id for task in world.live()})
    assert len(world.live()) == 3


def test_failed_starts_wait_for_the_clock(world: World) -> None:
    world.engine.fate = lambda name: -1
    service = world.serve(1)
    world.wait(lambda: service.primary.failed_tasks == 1)
    for failures in range(2, 7):
        assert service.primary.retry_at is not None
        assert service.primary.retry_at > world.realm.clock.now() - 1
        with world.realm.changing():
            world.realm.clock.advance(60)
        world.wait(lambda failures=failures: service.primary.failed_tasks >= failures)
    world.engine.fate = lambda name: None
    with world.realm.changing():
        world.realm.clock.advance(60)
    world.wait(lambda: service.is_steady)
    assert service.primary.failed_tasks == 0


def test_a_service_whose_tasks_end_at_once_does_not_starve_others(world: World) -> None:
    world.engine.fate = lambda name: 1
    service = world.serve(1)
    world.wait(lambda: len(world.cluster.tasks) > 2)
    world.engine.fate = lambda name: None
    world.wait(lambda: service.is_steady)


def test_a_service_of_very_many_tasks_does_not_hold_up_the_end(world: World) -> None:
    world.serve(1_000_000)
    world.wait(lambda: len(world.cluster.tasks) >= STARTS_AT_ONCE)
    # `close` of the fixture waits for the thread: it must not start the rest first.
    world.scheduler.stop()
    assert len(world.cluster.tasks) < 100_000


@pytest.mark.parametrize("seed", range(15))
def test_random_lives(world: World, seed: int) -> None:
    """Stops, losses, exits and deployments in random order: it settles, and nothing is left."""
    chance = random.Random(seed)
    world.definition = definition("app", "side", essential=chance.random() < 0.5)
    world.engine.fate = lambda name: chance.choice([None, None, None, 0, 1, -1])
    service = world.serve(
        chance.randint(1, 5),
        minimum=chance.choice([0, 50, 100]),
        maximum=chance.choice([100, 150, 200]),
    )
    for number in range(30):
        with world.realm.reading():
            live = world.live()
        action = chance.randrange(5)
        if action == 0:
            world.run()
        elif action == 1 and live:
            world.stop(chance.choice(live))
        elif action == 2 and live:
            victim = chance.choice(live).id
            # The engine may have ended it meanwhile.
            world.scheduler.observe(TaskLost(task_id=victim, reason="lost"))
        elif action == 3:
            world.change(service, lambda: service.want(chance.randint(0, 5)))
        else:
            new = world.deployment(f"{number + 2}")
            world.change(service, lambda new=new: begin(service, new, world.realm.clock.now()))
        with world.realm.changing():
            world.realm.clock.advance(chance.choice([0.0, 40.0]))
    world.engine.fate = lambda name: None
    service.deployment_configuration = {"minimumHealthyPercent": 0, "maximumPercent": 200}
    with world.realm.changing():
        world.realm.clock.advance(60)
    world.change(service, lambda: service.want(2))
    world.wait(lambda: service.is_steady and len(service.deployments) == 1)
    members = [task for task in world.live() if task.service_name == "s"]
    assert len(members) == 2
    assert {task.last_status.name for task in members} == {"RUNNING"}
    assert world.scheduler.end(world.realm).wait(PATIENCE)
    assert world.engine.running == {}


def test_many_tasks(world: World) -> None:
    began = time.perf_counter()
    service: Any = world.serve(500)
    world.wait(lambda: service.is_steady)
    # A bound on its growth, not a timing.
    assert time.perf_counter() - began < 15.0
