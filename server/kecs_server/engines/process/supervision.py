"""The supervisor of an engine's processes: there while something is to run, and what it says."""

from __future__ import annotations

import logging
from typing import Any

from kecs_server.domain.images import digest_of
from kecs_server.engines.base import KILLED
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.process.errors import as_exec_failure
from kecs_server.engines.process.launching import COOKIE
from kecs_server.engines.process.launching import describe_failure
from kecs_server.engines.process.leftovers import end_leftovers
from kecs_server.engines.process.link import SupervisorLink
from kecs_server.engines.process.namespaces import Namespaces
from kecs_server.engines.process.running import Running
from kecs_server.engines.process.tasks import Phase
from kecs_server.engines.process.tasks import Task

END_TIMEOUT = 15.0  # seconds; the supervisor itself gives up after 5 on what cannot be killed
LOST = "supervisor ended unexpectedly"
NETWORK_LOST = "the process that makes networks for tasks ended unexpectedly"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

log = logging.getLogger(__name__)


class Supervision:
    """Takes down in `running` what the supervisor says, in the link's thread."""

    def __init__(self, running: Running, environment_name: str) -> None:
        self._running = running
        self._environment_name = environment_name
        self.is_ready = False

    def ensure(self) -> SupervisorLink:
        """The supervisor; a new one when the last was lost. Under the lock.

        :raises OSError: it cannot be started.
        """
        if self._running.link is None:
            variables = {COOKIE: self._environment_name, **self._running.limits.open()}
            self._running.link = SupervisorLink(
                variables=variables, on_event=self._on_event, on_end=self._on_end
            )
        return self._running.link

    def on_network_loss(self, ended: Namespaces) -> None:
        """Who makes networks was killed: what runs in those that it made ends."""
        log.error(NETWORK_LOST)
        with self._running.changed:
            for task in self._running.tasks.values():
                if task.namespace is None or task.namespace.owner is not ended:
                    continue
                task.lost = NETWORK_LOST
                if not task.removing:
                    self._running.observe(TaskEnding(task_id=task.id, reason=NETWORK_LOST))
                    self._running.kill(task)

    def _on_event(self, event: dict[str, Any]) -> None:
        with self._running.changed:
            if event["event"] == "ready":
                self.is_ready = True
                self._running.changed.notify_all()
                return
            task_id, name, *number = event["key"].split("/")
            it = self._running.find(task_id, name)
            if it is None:
                return
            if number:
                self._on_execution(it.task, event)
                return
            if it.phase is not Phase.RUNNING:
                return
            if event["event"] == "started":
                it.pid = event["pid"]
                self._running.limits.add(it, event["pid"])
                self._running.observe(
                    ContainerStarted(
                        task_id=it.task.id,
                        container=it.spec.name,
                        runtime_id=it.runtime_id,
                        image_digest=digest_of(it.spec.image),
                    )
                )
            elif event["event"] == "failed":
                assert it.launch is not None
                reason = describe_failure(it.launch, event["step"], event["errno"])
                self._running.stopped(it, None, reason)
            else:
                is_excess = event["code"] == KILLED and self._running.limits.was_exceeded(it)
                self._running.stopped(it, event["code"], OUT_OF_MEMORY if is_excess else None)

    def _on_execution(self, task: Task, event: dict[str, Any]) -> None:
        execution = task.executions.get(event["key"])
        if execution is None:
            return
        if event["event"] == "started":
            execution.pid = event["pid"]
            self._running.limits.add(execution.container, event["pid"])
            return
        del task.executions[event["key"]]
        if execution.pid is not None:
            self._running.limits.drop(execution.container, execution.pid)
        if event["event"] == "failed":
            reason = describe_failure(execution.launch, event["step"], event["errno"])
            execution.finish_unexecuted(as_exec_failure(reason))
        elif event["overdue"]:
            execution.finish_overdue()
        else:
            execution.finish(event["code"])
        self._running.finish_removal(task)

    def _on_end(self, link: SupervisorLink) -> None:
        """The supervisor is gone: as asked by `close`, or all that ran is lost."""
        running = self._running
        link.reap(END_TIMEOUT)
        with running.changed:
            leaders = [it.pid for it in running.containers() if it.pid is not None]
        if link.process.returncode != 0:  # else it has left nothing, asked by `close` or a signal
            end_leftovers(self._environment_name, leaders)
        with running.changed:
            running.link = None
            if running.is_open and self.is_ready:
                log.error("%s, exit code %s", LOST, link.process.returncode)
            for task in list(running.tasks.values()):
                self._lose(task)
            running.changed.notify_all()

    def _lose(self, task: Task) -> None:
        for execution in task.executions.values():
            execution.finish_lost(LOST)
        task.executions.clear()
        if task.removed or task.is_over():
            self._running.finish_removal(task)
            return
        task.lost = LOST
        if not task.removing:
            self._running.observe(TaskEnding(task_id=task.id, reason=LOST))
        for it in list(task.running()):
            self._running.stopped(it, None, f"ContainerRuntimeError: {LOST}")
        if not task.removing:
            self._running.observe(TaskLost(task_id=task.id, reason=LOST))
