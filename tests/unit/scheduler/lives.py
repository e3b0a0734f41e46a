"""One task and its agent on a manual clock."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.task import Task
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Provisioned
from kecs_server.scheduler.agent import look_again_at
from kecs_server.scheduler.agent import next_commands
from kecs_server.scheduler.agent import observed
from made_tasks import made_task


def after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


class Life:
    """One task, its agent, and the seconds that have passed."""

    def __init__(self, *containers: dict[str, Any], awsvpc: bool = False) -> None:
        definitions = [{"image": "i", **given} for given in containers]
        body: dict[str, Any] = {"containerDefinitions": definitions}
        if awsvpc:
            body["networkMode"] = "awsvpc"
        self.now = 0.0
        self.task: Task = made_task(body, launch_type="FARGATE" if awsvpc else "EC2")

    def step(self) -> list[Any]:
        """What the engine is told now."""
        self.now += 1
        return next_commands(self.task, self.now)

    def see(self, kind: type[Any], /, **members: Any) -> list[Any]:
        self.now += 1
        observed(self.task, kind(task_id=self.task.id, **members), self.now)
        return self.step()

    def started(self, name: str) -> list[Any]:
        return self.see(ContainerStarted, container=name, runtime_id="r")

    def stopped(self, name: str, code: int | None = 0, reason: str | None = None) -> list[Any]:
        return self.see(ContainerStopped, container=name, exit_code=code, reason=reason)

    def notice(self, kind: type[Any], /, **members: Any) -> None:
        """Something is seen at this very second."""
        observed(self.task, kind(task_id=self.task.id, **members), self.now)

    def notice_start(self, name: str) -> None:
        self.notice(ContainerStarted, container=name, runtime_id="r")

    def notice_stop(self, name: str, code: int | None, reason: str | None = None) -> None:
        self.notice(ContainerStopped, container=name, exit_code=code, reason=reason)

    def advance(self, seconds: float) -> list[Any]:
        """What the engine is told now and until so many seconds have passed, each at its time."""
        end = self.now + seconds
        told = next_commands(self.task, self.now)
        while (at := look_again_at(self.task)) is not None and self.now < at <= end:
            self.now = at
            told += next_commands(self.task, self.now)
        self.now = end
        return told

    def run(self, *names: str) -> None:
        """Bring all containers to RUNNING."""
        self.step()
        self.see(Provisioned)
        for name in names:
            self.started(name)
        assert self.state == "RUNNING"

    @property
    def state(self) -> str:
        return self.task.last_status.name

    @property
    def codes(self) -> dict[str, int | None]:
        return {container.name: container.exit_code for container in self.task.containers}
