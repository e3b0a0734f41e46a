"""Commands in running containers, a few at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from threading import Lock
from time import monotonic

from kecs_server.engines.base import KILLED
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import ExecResult
from kecs_server.engines.kubernetes import nodes
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.streams import RunningCommand

_log = logging.getLogger(__name__)

_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running container of a Pod. `is_running` tells whether it still is; `listens` are the ports
    at which it was seen to listen.
    """

    pod: str
    uid: str
    container: str
    node: str
    runtime_id: str
    is_running: Callable[[], bool]
    listens: set[int]


class Executions:
    """A thread each, `_THREADS` at most; a command that must wait for one has not begun.

    :param has_nodes: what does not end in time is killed on the node. Kubernetes cannot do that:
        elsewhere it lives on until its container ends.
    """

    def __init__(self, api: ClusterApi, namespace: str, *, has_nodes: bool) -> None:
        self._api = api
        self._namespace = namespace
        self._has_nodes = has_nodes
        self._lock = Lock()
        self._closed = False
        self._running: set[RunningCommand] = set()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kecs-exec")

    def submit(self, target: Target, command: Sequence[str], timeout: float) -> Future[ExecResult]:
        """As `Engine.execute`."""
        try:
            return self._pool.submit(self._execute, target, command, timeout)
        except RuntimeError:
            return refused("the engine is closing")

    def close(self) -> None:
        """End all connections; commands that have not begun are refused."""
        with self._lock:
            self._closed = True
            for running in self._running:
                running.close()
        self._pool.shutdown(wait=False)

    def _execute(self, target: Target, command: Sequence[str], timeout: float) -> ExecResult:
        begin = monotonic()
        if self._closed:
            return refused("the engine is closing").result()
        try:
            with self._connected(target, command) as running:
                ended = running.wait(timeout)
        except ApiError as error:
            return ExecResult.refused(error.message)
        except Exception as error:
            _log.exception("A command in %s", target.pod)
            return ExecResult.refused(repr(error))
        if not target.is_running():
            return ExecResult(exit_code=KILLED, output=ended.output)
        if ended.exit_code is not None:
            return ExecResult(exit_code=ended.exit_code, output=ended.output)
        if ended.reason is None:
            if self._has_nodes:
                self._kill(target, monotonic() - begin)
            return ExecResult.not_in_time(ended.output, timeout)
        if "exec failed" in ended.reason:
            return ExecResult.not_executed(ended.output, ended.reason)
        return replace(ExecResult.refused(ended.reason), output=ended.output)

    @contextmanager
    def _connected(self, target: Target, command: Sequence[str]) -> Iterator[RunningCommand]:
        running = self._api.execute(self._namespace, target.pod, target.container, command)
        with self._lock:
            self._running.add(running)
            if self._closed:
                running.close()
        try:
            yield running
        finally:
            with self._lock:
                self._running.discard(running)

    def _kill(self, target: Target, age: float) -> None:
        try:
            nodes.kill_command(target.node, target.runtime_id, age)
        except EngineError as error:
            _log.info("%s", error)


def refused(text: str) -> Future[ExecResult]:
    """A command that is not run."""
    future: Future[ExecResult] = Future()
    future.set_result(ExecResult.refused(text))
    return future
