"""Carries what a container writes to somewhere else, while it writes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack

from kecs_server.aws.pool import Pool
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.base import Engine
from kecs_server.engines.logs import START
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogChunk
from kecs_server.state.realm import Realm

PIECES_AT_ONCE = 16
"""Pieces of one log that are carried before others have their turn."""

_log = logging.getLogger(__name__)


class Follower:
    """One container's way out; one job at a time carries what is new. Subclasses say where to.
    All that may wait, for the engine's log or for the place, is done by the job.

    :param name: of the place, for the server's log.
    """

    def __init__(self, pool: Pool, log: ContainerLog, name: str) -> None:
        self.name = name
        self._pool = pool
        self._log = log
        self._cursor = START
        self._lock = threading.Lock()
        self._listening = ExitStack()
        self._is_listening = False
        self._following = False
        self._busy = False
        self._again = False
        self._timer: threading.Timer | None = None

    def take(self, chunk: LogChunk) -> bool:
        """Carry the piece; False: not now, it is offered again after `wake_in`.

        :raises Exception: never again.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """The container's last piece was carried, or is given up."""

    def follow(self) -> None:
        """Carry what is there and what comes, to the container's end."""
        with self._lock:
            self._following = True
        self._wake()

    def wake_in(self, seconds: float) -> None:
        """Look again then, whether or not something was written."""
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(seconds, self._wake)
            self._timer.daemon = True
            self._timer.start()

    def _wake(self) -> None:
        with self._lock:
            if self._busy:
                self._again = True
                return
            self._busy = True
        self._pool.submit(self._carry)

    def _carry(self) -> None:
        with self._lock:
            self._again = False
        try:
            if not self._is_listening:
                self._listening.enter_context(self._log.listening(self._wake))
                self._is_listening = True
            is_over = self._carry_pieces()
        except FileNotFoundError:
            is_over = True  # The task was forgotten a moment ago.
        except Exception:
            _log.exception("lines could not be carried to %s", self.name)
            is_over = True
        with self._lock:
            again = self._again
            self._busy = again or is_over
        if is_over and not again:
            again = self._end()
        if again:
            self._pool.submit(self._carry)

    def _end(self) -> bool:
        """Listen no more. Returns whether somebody has waked us meanwhile."""
        self._listening.close()
        self._is_listening = False
        with self._lock:
            is_finished = self._following and not self._again
            self._following = self._following and not is_finished
        if is_finished:
            self.finish()
        with self._lock:
            self._busy = self._again
            return self._again

    def _carry_pieces(self) -> bool:
        """Whether the container's last line has been carried."""
        for _ in range(PIECES_AT_ONCE):
            chunk = self._log.read(self._cursor, whole_lines=True)
            if not self.take(chunk):
                return False
            self._cursor = chunk.cursor
            if not chunk.more:
                return chunk.ended
        with self._lock:
            self._again = True
        return False


Begin = Callable[[ContainerLog], Follower]


class Followers:
    """Follows containers of one realm: a watcher of it. Subclasses say which, and to where."""

    def __init__(self, engine: Callable[[], Engine | None]) -> None:
        self._engine = engine
        self._routes: dict[str, Follower] = {}

    def way_out(self, task: Task, container: Container) -> Begin | None:
        """What makes its follower; None: it is not to be followed now."""
        raise NotImplementedError

    def task_changed(self, realm: Realm, task: Task) -> None:
        """Begin to follow a container when it has started, the first time or again."""
        engine = self._engine()
        if engine is None:
            return
        for container in task.containers:
            begin = self.way_out(task, container)
            if begin is None:
                continue
            route = self._routes.get(container.arn)
            if route is None:
                try:
                    log = engine.logs(task.id, container.name)
                except KeyError:
                    continue  # The engine has lost the task, and will say so.
                route = self._routes[container.arn] = begin(log)
            route.follow()
        if task.is_stopped:
            for container in task.containers:
                self._routes.pop(container.arn, None)

    def service_changed(self, realm: Realm, service: Service) -> None:
        """Services write nothing."""

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        """Nor do container instances."""
