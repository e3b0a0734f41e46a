"""A service, its scheduler's looks, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deploying import begin
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.service import Service
from kecs_server.domain.task import Health
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task import move
from kecs_server.domain.task import want_stopped
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.scheduler import services
from kecs_server.scheduler.service_tasks import HEALTHY_AFTER
from kecs_server.scheduler.service_tasks import Outcome
from kecs_server.scheduler.service_tasks import notice
from made_tasks import made_host

PREFIX = "arn:aws:ecs:us-east-1:123456789012:"


class World:
    """A service of `count` tasks, its scheduler's looks, and a clock that is set by hand."""

    def __init__(self, count: int, **configuration: Any) -> None:
        self.now = 1_000_000.0
        self.alarms: dict[str, str] = {}
        self.cluster = Cluster(name="c", arn=PREFIX + "cluster/c", settings=[], request={})
        self.service = Service(
            name="s",
            arn=PREFIX + "service/c/s",
            cluster_arn=self.cluster.arn,
            created_at=self.now,
            created_by="me",
            desired_count=count,
            scheduling_strategy="REPLICA",
            deployment_configuration={
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
                **configuration,
            },
            request={},
            settings={},
        )
        self.cluster.services["s"] = self.service
        made_host(self.cluster)
        self.deploy("1")

    def deploy(
        self, number: str, *mappings: dict[str, Any], health_check: bool = False
    ) -> ServiceDeployment:
        return begin(
            self.service, self.deployment(number, *mappings, health_check=health_check), self.now
        )

    def deployment(
        self, number: str, *mappings: dict[str, Any], health_check: bool = False
    ) -> Deployment:
        container = {"name": "app", "image": "i", "essential": True, "portMappings": mappings}
        if health_check:
            container["healthCheck"] = {"command": ["CMD", "true"]}
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
        return Deployment(
            number=number,
            task_definition=definition,
            created_at=self.now,
            updated_at=self.now,
            launch_type="EC2",
        )

    def look(self) -> Outcome:
        return services.reconcile(self.cluster, self.service, self.now, self.alarms)

    def pass_time(self, seconds: float) -> Outcome:
        self.now += seconds
        return self.look()

    def settle(self) -> None:
        """Let tasks run and stop as they are told, until the service wants nothing more."""
        for _ in range(50):
            self.look()
            self.settle_once()
        self.look()

    def settle_once(self) -> None:
        """Let tasks run and stop as they were told."""
        for task in [task for task in self.cluster.tasks.values() if not task.is_stopped]:
            if task.desired_status == "STOPPED":
                self._change(task, lambda task: move(task, Status.STOPPED, self.now))
            else:
                self.run(task)
        self.now += HEALTHY_AFTER

    def fail_starts(self, count: int) -> None:
        """Let so many tasks in a row fail to start."""
        for _ in range(count):
            [task, *_] = self.started() or self.pending()
            self.stop(task, "TaskFailedToStart")
            if self.service.primary.retry_at is not None:
                self.now = max(self.now, self.service.primary.retry_at)

    def pending(self) -> list[Task]:
        return [task for task in self.cluster.tasks.values() if task.last_status < Status.RUNNING]

    def check(self, task: Task, status: str) -> None:
        """The task's health check finds so."""
        [container] = task.containers
        container.health = Health(due_at=0, grace_until=0, pause=1, status=status)

    def texts(self) -> list[str]:
        """The service's events, newest first, without the `(service s) `."""
        return [event.message.removeprefix("(service s) ") for event in self.service.events]

    def counts(self) -> dict[str, int]:
        """How many tasks that are not stopping each deployment has, by its number."""
        result: dict[str, int] = {}
        for task in self.cluster.tasks.values():
            if task.desired_status == "RUNNING":
                number = (task.started_by or "").removeprefix("ecs-svc/")
                result[number] = result.get(number, 0) + 1
        return result

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
        notice(self.service, task, before, self.now)

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
