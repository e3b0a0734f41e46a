"""Whatever happens to a service, no look takes its healthy tasks under the floor, nor all of them
over the ceiling; and when nothing more happens it comes to rest (ecs-facts 7.6).
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from kecs_server.domain import deploying
from kecs_server.domain.deployment import ROLLBACK_REQUESTED
from kecs_server.domain.deployment import SUCCEEDED
from kecs_server.domain.rollout import Limits
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from service_world import World

ACTIONS = (
    "run",
    "fail to start",
    "exit",
    "get healthy",
    "get unhealthy",
    "stop",
    "stopped",
    "protect",
)
CONFIGURATIONS = st.fixed_dictionaries(
    {
        "minimumHealthyPercent": st.integers(0, 100),
        "maximumPercent": st.integers(100, 300),
        "deploymentCircuitBreaker": st.fixed_dictionaries(
            {"enable": st.booleans(), "rollback": st.booleans()}
        ),
        "bakeTimeInMinutes": st.sampled_from([0, 1]),
        "strategy": st.sampled_from(["ROLLING", "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"]),
        "lifecycleHooks": st.sampled_from(
            [[], [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"]}]]
        ),
    }
)


class Watched(World):
    """A world in which each look is held to floor and ceiling."""

    def __init__(self, desired: int, configuration: dict[str, Any]) -> None:
        super().__init__(desired, **configuration)
        self.numbers = iter(range(2, 1000))

    def existing(self) -> list[Task]:
        return [task for task in self.cluster.tasks.values() if not task.is_stopped]

    def is_healthy(self, task: Task, desired_status: str) -> bool:
        if desired_status != "RUNNING" or task.last_status != Status.RUNNING:
            return False
        if task.has_health_check:
            return task.health_status == "HEALTHY"
        is_old = task.started_by != self.service.primary.id
        return is_old or self.now - (task.started_at or self.now) >= HEALTHY_AFTER

    def serving(self) -> set[str]:
        """The ids of the deployments that the traffic goes to."""
        way = self.service.current
        if way is None or not way.is_side_by_side:
            return {deployment.id for deployment in self.service.deployments}
        source = deploying.source_of(self.service)
        assert source is not None
        return {way.target.id if way.production_weight == 100.0 else source.id}

    def checked_look(self) -> None:
        before = [(task, task.desired_status) for task in self.existing()]
        existed = len(before)
        self.look()
        configuration = self.service.deployment_configuration
        limits = Limits(
            desired=self.service.desired_count,
            minimum_percent=configuration["minimumHealthyPercent"],
            maximum_percent=configuration["maximumPercent"],
        )
        serving = self.serving()
        before = [(task, status) for task, status in before if task.started_by in serving]
        was = sum(self.is_healthy(task, status) for task, status in before)
        now = sum(self.is_healthy(task, task.desired_status) for task, _ in before)
        assert now >= min(was, limits.floor)
        total = len(self.existing())
        sides = 2 if any(way.is_side_by_side for way in self.service.history) else 1
        assert total <= max(limits.ceiling * sides, existed)

    def act(self, action: str, task: Task) -> None:
        if task.is_stopped:
            return
        if action == "run" and task.desired_status == "RUNNING":
            self.run(task)
        elif action == "fail to start" and task.last_status < Status.RUNNING:
            self.stop(task, "TaskFailedToStart")
        elif action == "exit" and task.last_status == Status.RUNNING:
            self.exit(task)
        elif action == "stop":
            self.stop(task, "UserInitiated")
        elif action == "stopped" and task.desired_status == "STOPPED":
            self._change(task, lambda task: move(task, Status.STOPPED, self.now))
        elif action == "protect":
            task.protected_until = self.now + 30.0
        elif task.has_health_check and task.last_status == Status.RUNNING:
            self.check(task, "HEALTHY" if action == "get healthy" else "UNHEALTHY")

    def rest(self) -> None:
        """Let time pass in which everything goes well, and hooks are continued."""
        for _ in range(120):
            self.checked_look()
            for task in self.existing():
                if task.desired_status == "STOPPED":
                    self.act("stopped", task)
                else:
                    self.act("run", task)
                    self.act("get healthy", task)
            way = self.service.current
            for run in way.step_hooks if way else ():
                run.status = SUCCEEDED
            self.now += 60.0
        self.checked_look()


@settings(
    max_examples=100, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.integers(0, 8), CONFIGURATIONS, st.data())
def test_floor_and_ceiling(
    desired: int, configuration: dict[str, Any], data: st.DataObject
) -> None:
    world = Watched(desired, configuration)
    for _ in range(data.draw(st.integers(0, 25), "steps")):
        kind = data.draw(st.integers(0, 19), "kind")
        way = world.service.current
        if kind == 0:
            health_check = data.draw(st.booleans(), "health check")
            world.deploy(str(next(world.numbers)), health_check=health_check)
        elif kind == 1:
            world.service.want(data.draw(st.integers(0, 8), "count"))
        elif kind == 2 and way is not None and way.status == "IN_PROGRESS":
            way.status = ROLLBACK_REQUESTED
        elif kind == 3 and way is not None:
            for run in way.step_hooks:
                run.status = SUCCEEDED
        elif kind == 4:
            world.now += data.draw(st.sampled_from([0.1, 1.0, 61.0]), "seconds")
        else:
            tasks = world.existing()
            action = data.draw(st.sampled_from(ACTIONS), "action")
            chosen = data.draw(st.integers(0, 50), "task")
            for task in tasks if kind < 8 or not tasks else [tasks[chosen % len(tasks)]]:
                world.act(action, task)
        world.checked_look()
    world.rest()
    service = world.service
    live = [task for task in world.existing() if task.desired_status == "RUNNING"]
    limits = Limits(
        desired=service.desired_count,
        minimum_percent=configuration["minimumHealthyPercent"],
        maximum_percent=configuration["maximumPercent"],
    )
    if service.primary.rollout_state == "FAILED":
        # What failed stays as it is, but for what is too many of any deployment.
        assert service.current is None
        assert all(count <= service.desired_count for count in world.counts().values())
    elif service.primary.rollout_state == "COMPLETED":
        assert service.current is None
        assert world.counts() == ({service.primary.number: len(live)} if live else {})
        assert len(live) == service.desired_count
        assert service.is_steady
    else:
        assert limits.floor == limits.desired == limits.ceiling
