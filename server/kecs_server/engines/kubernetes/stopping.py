"""How containers of a running Pod are ended, one, some or all: two ways.

On kind through the node, which does what ECS does: SIGTERM to each at the same moment, SIGKILL
after each one's own time. Elsewhere kubelet must do it: another image makes it stop a container,
but one after another and with the Pod's grace period; so when all that runs is to end, the Pod is
deleted instead, which ends them together. Differing stop timeouts are a limit there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from threading import RLock
from typing import Protocol

from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes import nodes
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.ordered import OrderedPool
from kecs_server.engines.kubernetes.pods import GATE_IMAGE
from kecs_server.engines.kubernetes.pods import grace_seconds
from kecs_server.engines.kubernetes.pods import image_patch
from kecs_server.engines.kubernetes.timers import Timers
from kecs_server.engines.kubernetes.tracker import Container
from kecs_server.engines.kubernetes.tracker import Phase
from kecs_server.engines.kubernetes.tracker import Task

_log = logging.getLogger(__name__)


class Stopper(Protocol):
    def stop(self, task: Task, containers: Sequence[Container]) -> None:
        """End these, which run or are about to. Returns at once; called with the lock held."""

    def kill(self, task: Task) -> int:
        """End all, at once, because the Pod is about to be deleted.

        :returns: the grace period in seconds to delete it with.
        """


class NodeStopper:
    """Signals through the node."""

    def __init__(self, lock: RLock, pool: OrderedPool, timers: Timers) -> None:
        self._lock = lock
        self._pool = pool
        self._timers = timers

    def stop(self, task: Task, containers: Sequence[Container]) -> None:
        """Those that are not running yet are stopped when they do: the engine calls again."""
        running = [each for each in containers if each.phase is Phase.RUNNING]
        if not running:
            return
        self._later(task, lambda: self._signal(task, running, "SIGTERM"))
        for container in running:
            due = partial(self._due, task, container, container.runtime_id)
            self._timers.after(container.spec.stop_timeout, due)

    def kill(self, task: Task) -> int:
        with self._lock:
            running = task.in_phase(Phase.RUNNING)
        if running:
            self._signal(task, running, "SIGKILL")
        return 0

    def _due(self, task: Task, container: Container, runtime_id: str) -> None:
        if container.phase is Phase.RUNNING and container.runtime_id == runtime_id:
            self._later(task, lambda: self._signal(task, [container], "SIGKILL"))

    def _later(self, task: Task, job: Callable[[], None]) -> None:
        """Signals do not queue behind a task's other jobs: an image may be on its way."""
        self._pool.submit(f"{task.id}/signals", job)

    def _signal(self, task: Task, containers: Sequence[Container], signal: str) -> None:
        with self._lock:
            ids = [each.runtime_id for each in containers if each.phase is Phase.RUNNING]
            node = task.node
        if not ids:
            return
        try:
            nodes.send_signal(node, signal, ids)
        except EngineError:
            _log.exception("Task %s", task.id)
            return
        if signal == "SIGKILL":
            with self._lock:
                for container in containers:
                    container.killed = True


class PodStopper:
    """Changes to the Pod."""

    def __init__(self, lock: RLock, pool: OrderedPool, api: ClusterApi, namespace: str) -> None:
        self._lock = lock
        self._pool = pool
        self._api = api
        self._namespace = namespace

    def stop(self, task: Task, containers: Sequence[Container]) -> None:
        others = [
            each for each in task.in_phase(Phase.STARTING, Phase.RUNNING) if not each.stop_asked
        ]
        if others:
            # Those that are not running yet are stopped when they do: the engine calls again.
            running = [each for each in containers if each.phase is Phase.RUNNING]
            self._pool.submit(task.id, lambda: self._hold(task, running))
        elif not task.deleting:
            task.deleting = True
            self._pool.submit(task.id, lambda: self._delete(task))

    def kill(self, task: Task) -> int:
        """One second of grace has kubelet confirm each end before the Pod is gone."""
        with self._lock:
            return 1 if task.in_phase(Phase.RUNNING) else 0

    def _hold(self, task: Task, containers: Sequence[Container]) -> None:
        for container in containers:
            patch = image_patch(container.place, GATE_IMAGE)
            try:
                self._api.patch_pod(self._namespace, task.pod, patch)
            except ApiError as error:
                _log.warning("Task %s, stopping %s: %s", task.id, container.spec.name, error)

    def _delete(self, task: Task) -> None:
        with self._lock:
            active = task.in_phase(Phase.STARTING, Phase.RUNNING)
            # They may have ended by themselves; then the Pod stays until it is removed.
            task.deleting = task.removing or bool(active)
        if not active:
            return
        grace = grace_seconds(tuple(each.spec for each in active))
        try:
            self._api.delete_pod(self._namespace, task.pod, grace)
        except ApiError as error:
            _log.warning("Task %s, stopping it: %s", task.id, error)
