"""The log driver awsfirelens: what containers write, to the router in their task, while they
write it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from functools import partial

from kecs_server.aws import forward
from kecs_server.aws.following import Begin
from kecs_server.aws.following import Follower
from kecs_server.aws.following import Followers
from kecs_server.aws.pool import Pool
from kecs_server.domain.firelens import PORT
from kecs_server.domain.firelens import logs_to_router
from kecs_server.domain.firelens import metadata_of
from kecs_server.domain.firelens import router_of
from kecs_server.domain.firelens import tag_of
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.base import Engine
from kecs_server.engines.base import Observation
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogChunk
from kecs_server.scheduler.agent import LinesRouted

PATIENCE = 5.0
"""Seconds that the last lines of a container may wait for a router that takes none."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds until a router is tried again."""

Connect = Callable[[str, str, int], socket.socket]

_log = logging.getLogger(__name__)


class Firelens(Followers):
    """Of the containers that log to a router.

    :param connect: to a port of a container of a task.
    :param observe: is told of each container whose last line has been carried.
    """

    def __init__(
        self,
        pool: Pool,
        connect: Connect,
        engine: Callable[[], Engine | None],
        observe: Callable[[Observation], None],
    ) -> None:
        super().__init__(engine)
        self._pool = pool
        self._connect = connect
        self._observe = observe

    def way_out(self, task: Task, container: Container) -> Begin | None:
        if not container.awaits_routing or not logs_to_router(container.definition):
            return None
        router = router_of(task)
        if router is None:
            return None
        connection = forward.Connection(partial(self._connect, task.id, router.name, PORT))
        return partial(_Route, self._pool, task, container, router, connection, self._observe)


class _Route(Follower):
    """One container's way to the router of its task, with a connection of its own."""

    def __init__(
        self,
        pool: Pool,
        task: Task,
        container: Container,
        router: Container,
        connection: forward.Connection,
        observe: Callable[[Observation], None],
        log: ContainerLog,
    ) -> None:
        super().__init__(pool, log, f"the router of task {task.id}")
        self._task = task
        self._container = container
        self._router = router
        self._connection = connection
        self._observe = observe
        self._tag = tag_of(task, container)
        self._said = metadata_of(task)
        self._pause = FIRST_PAUSE
        self._give_up_at: float | None = None

    def take(self, chunk: LogChunk) -> bool:
        if not chunk.entries:
            return True
        known = {
            "container_id": self._container.runtime_id or "",
            "container_name": "/" + self._task.docker_name(self._container),
            **self._said,
        }
        records = (
            (
                entry.time,
                {
                    "log": entry.data.rstrip(b"\r\n").decode("utf-8", "surrogateescape"),
                    "source": entry.stream,
                    **known,
                },
            )
            for entry in chunk.entries
        )
        try:
            self._connection.send(forward.encoded(self._tag, records))
        except OSError as error:
            if self._is_in_vain(ended=chunk.ended):
                _log.warning("%s takes no lines: %s", self.name, error)
                return True
            self.wake_in(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False
        self._pause = FIRST_PAUSE
        return True

    def _is_in_vain(self, *, ended: bool) -> bool:
        """The router has ended, or all else has and it takes nothing."""
        if self._router.is_stopped or self._task.is_stopped:
            return True
        if not ended:
            return False
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + PATIENCE
        return time.monotonic() >= self._give_up_at

    def finish(self) -> None:
        self._connection.close()
        self._give_up_at = None
        self._observe(LinesRouted(task_id=self._task.id, container=self._container.name))
