"""What is asked of containers that run: commands, connections, usage; and of all, their logs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import RLock

from kecs_server.engines.base import EngineError
from kecs_server.engines.base import ExecResult
from kecs_server.engines.base import Usage
from kecs_server.engines.kubernetes import nodes
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.executions import Executions
from kecs_server.engines.kubernetes.executions import Target
from kecs_server.engines.kubernetes.executions import refused
from kecs_server.engines.kubernetes.logs import LogKeeper
from kecs_server.engines.kubernetes.tracker import Phase
from kecs_server.engines.kubernetes.tracker import Task
from kecs_server.engines.kubernetes.usage import read_storage
from kecs_server.engines.kubernetes.usage import read_usage
from kecs_server.engines.logs import ContainerLog

_log = logging.getLogger(__name__)

_NOT_RUNNING = "the container does not run"
_END_SECONDS = 0.5


class Inside:
    """Changes nothing of the tasks. Thread-safe.

    :param lock: guards `tasks`.
    :param has_nodes: the cluster's nodes can be asked.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        lock: RLock,
        api: ClusterApi,
        namespace: str,
        logs: LogKeeper,
        *,
        has_nodes: bool,
    ) -> None:
        self._tasks = tasks
        self._lock = lock
        self._api = api
        self._namespace = namespace
        self._logs = logs
        self._has_nodes = has_nodes
        self._executions = Executions(api, namespace, has_nodes=has_nodes)

    def close(self) -> None:
        """End commands that run."""
        self._executions.close()

    def execute(
        self, task_id: str, container: str, command: Sequence[str], timeout: float
    ) -> Future[ExecResult]:
        target = self._running(task_id, container)
        if target is None:
            return refused(_NOT_RUNNING)
        return self._executions.submit(target, command, timeout)

    def locate(self, task_id: str, container: str, port: int) -> None:
        """See to it that the container listens on the TCP port.

        :raises OSError: as `connect` does.
        """
        target = self._running(task_id, container)
        if target is None:
            raise ConnectionRefusedError(_NOT_RUNNING)
        self._check_listener(target, port)

    def connect(self, task_id: str, container: str, port: int, protocol: str) -> socket.socket:
        """A connection through the API server, as `Engine.connect` says. Who listens is looked at
        once; when that one is gone later, the connection ends at once.
        """
        target = self._running(task_id, container)
        if target is None:
            raise ConnectionRefusedError(_NOT_RUNNING)
        if protocol != "tcp":
            raise OSError("Kubernetes forwards TCP to Pods, and nothing else")
        if port not in target.listens:
            self._check_listener(target, port)
        return self._forward(target, port)

    def _check_listener(self, target: Target, port: int) -> None:
        """On kind the node tells who listens. Elsewhere a connection to a port at which nobody
        does is one that ends soon.
        """
        nobody = ConnectionRefusedError(f"nothing listens on port {port} of the Pod yet")
        if not self._has_nodes:
            with self._forward(target, port) as connection:
                connection.settimeout(_END_SECONDS)
                with suppress(TimeoutError):
                    if not connection.recv(1, socket.MSG_PEEK):
                        raise nobody
        else:
            try:
                is_own = nodes.is_listener(target.node, target.runtime_id, port)
            except EngineError as error:
                raise ConnectionError(str(error)) from None
            if is_own is None:
                raise nobody
            if not is_own:
                text = f"another container of the Pod listens on port {port}"
                raise ConnectionRefusedError(text)
        target.listens.add(port)

    def _forward(self, target: Target, port: int) -> socket.socket:
        try:
            return self._api.forward_port(self._namespace, target.pod, port)
        except ApiError as error:
            raise ConnectionError(error.message) from None

    def logs(self, task_id: str, container: str) -> ContainerLog:
        with self._lock:
            record = self._tasks[task_id].containers[container]
        return self._logs.log(task_id, record.spec.name)

    def usage(self, task_id: str, container: str) -> Usage | None:
        target = self._running(task_id, container)
        if target is None:
            return None
        try:
            return read_usage(self._api.node_summary(target.node), target.uid, target.container)
        except ApiError as error:
            _log.info("What task %s uses is not known: %s", task_id, error)
            return None

    def storage(self, task_id: str) -> int | None:
        with self._lock:
            task = self._tasks.get(task_id)
            node, uid = (task.node, task.uid) if task else ("", "")
        if not node:
            return None
        try:
            return read_storage(self._api.node_summary(node), uid)
        except ApiError as error:
            _log.info("What task %s stores is not known: %s", task_id, error)
            return None

    def _running(self, task_id: str, container: str) -> Target | None:
        with self._lock:
            task = self._tasks.get(task_id)
            record = task.containers.get(container) if task else None
            if task is None or record is None or record.phase is not Phase.RUNNING:
                return None
            place = record.place
            return Target(
                pod=task.pod,
                uid=task.uid,
                container=place.name,
                node=task.node,
                runtime_id=record.runtime_id,
                listens=record.listens,
                is_running=lambda: record.phase is Phase.RUNNING and record.place == place,
            )
