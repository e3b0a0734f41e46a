"""What the process engine has been told to run, and how it ends; all under one lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Observer
from kecs_server.engines.base import Removed
from kecs_server.engines.process.cgroups import Cgroups
from kecs_server.engines.process.limits import MemoryLimits
from kecs_server.engines.process.link import SupervisorLink
from kecs_server.engines.process.logwatch import LogWatch
from kecs_server.engines.process.tasks import Container
from kecs_server.engines.process.tasks import Phase
from kecs_server.engines.process.tasks import Task


class Running:
    """Its methods are called under `changed`, which is notified of what somebody waits for.

    :param cgroups: see `limits`; directory: the environment's.

    observe: hands on what was seen, and waits for nobody.
    link: the supervisor, None before the first and after the end of one.
    log_watch: tells who follows a container's output of more of it, while the engine is open.
    """

    observe: Observer

    def __init__(self, cgroups: Cgroups | None, directory: Path) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.tasks: dict[str, Task] = {}
        self.link: SupervisorLink | None = None
        self.log_watch: LogWatch | None = None
        self.limits = MemoryLimits(cgroups, directory, self._on_excess)
        self.is_open = False

    def open(self, observe: Observer) -> None:
        self.observe = observe
        self.log_watch = LogWatch()
        self.is_open = True

    def find(self, task_id: str, container: str) -> Container | None:
        task = self.tasks.get(task_id)
        return task.containers.get(container) if task else None

    def containers(self) -> Iterator[Container]:
        """Those that run, of all tasks."""
        return (it for task in self.tasks.values() for it in task.running())

    def kill(self, task: Task) -> None:
        """All that runs of it."""
        self.kill_keys([*(it.key for it in task.running()), *task.executions])

    def kill_keys(self, keys: list[str]) -> None:
        if self.link:
            self.link.send({"do": "kill", "keys": keys})

    def stopped(self, it: Container, exit_code: int | None, reason: str | None) -> None:
        """Nothing of the container runs any more."""
        it.phase = Phase.STOPPED
        it.pid = None
        self.limits.end(it)
        if it.log.is_live and self.log_watch:
            self.log_watch.unwatch(it.log)
        it.log.end()
        self.kill_keys([each.key for each in it.task.executions.values() if each.container is it])
        self.observe(
            ContainerStopped(
                task_id=it.task.id, container=it.spec.name, exit_code=exit_code, reason=reason
            )
        )
        self.finish_removal(it.task)

    def finish_removal(self, task: Task) -> None:
        """If it is to be removed, and nothing of it runs any more."""
        if task.removing and not task.removed and task.is_idle():
            task.removed = True
            if task.namespace:
                task.namespace.drop()
            self.limits.end_task(task)
            self.observe(Removed(task_id=task.id))
            self.changed.notify_all()

    def _on_excess(self, key: str) -> None:
        """A container uses more memory than it may: its first process takes all others along."""
        task_id, _, name = key.partition("/")
        with self.changed:
            it = self.find(task_id, name)
            if it is not None and it.phase is Phase.RUNNING and self.link:
                it.out_of_memory = True
                self.kill_keys([key])
