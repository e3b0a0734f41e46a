"""The log driver awslogs: what containers write, to CloudWatch Logs while they write it
(ecs-facts 6.13).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Iterable
from functools import partial
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.errors import ResourceError
from kecs_server.aws.following import Begin
from kecs_server.aws.following import Follower
from kecs_server.aws.following import Followers
from kecs_server.aws.log_events import Event
from kecs_server.aws.log_events import Joiner
from kecs_server.aws.log_events import batches
from kecs_server.aws.log_events import single
from kecs_server.aws.pool import Pool
from kecs_server.domain.references import LogGroup
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.engines.base import Engine
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogChunk

Structure = dict[str, Any]

_log = logging.getLogger(__name__)

_FAILED = (
    "failed to validate logger args: create stream has been retried 1 times: failed to create "
    "Cloudwatch log stream: "
)


def open_stream(endpoints: Endpoints, group: LogGroup, stream: str | None) -> None:
    """Make the log stream, and its group if that is asked for. Without a name, which only a
    container that runs has, only see that the group is there.

    :raises ResourceError: it cannot be, in ECS's words.
    """
    try:
        if group.is_created:
            _create(endpoints, group, "create_log_group", logGroupName=group.name)
        if stream is None:
            endpoints.call(
                "logs", group.region, "describe_log_streams", logGroupName=group.name, limit=1
            )
        else:
            names = {"logGroupName": group.name, "logStreamName": stream}
            _create(endpoints, group, "create_log_stream", **names)
    except EndpointError as error:
        raise ResourceError(f"{_FAILED}{error}") from error


def _create(endpoints: Endpoints, group: LogGroup, operation: str, **names: str) -> None:
    try:
        endpoints.call("logs", group.region, operation, **names)
    except EndpointError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise


class Logs(Followers):
    """Of the containers that log to awslogs."""

    def __init__(
        self, pool: Pool, endpoints: Endpoints, engine: Callable[[], Engine | None]
    ) -> None:
        super().__init__(engine)
        self._pool = pool
        self._endpoints = endpoints

    def way_out(self, task: Task, container: Container) -> Begin | None:
        if not container.started or container.is_stopped:
            return None
        group = task.log_group(container)
        if group is None:
            return None
        name = group.stream(container.name, task.id) or container.runtime_id or container.name
        return partial(_Stream, self._pool, self._endpoints, group, name)


class _Stream(Follower):
    """One container's way to its log stream."""

    def __init__(
        self,
        pool: Pool,
        endpoints: Endpoints,
        group: LogGroup,
        name: str,
        log: ContainerLog,
    ) -> None:
        super().__init__(pool, log, name)
        self._endpoints = endpoints
        self._group = group
        self._is_open = group.prefix is not None
        self._joiner = Joiner(group.first_line) if group.first_line else None
        self._complained = False

    def take(self, chunk: LogChunk) -> bool:
        joiner = self._joiner
        self._put(joiner.joined(chunk.entries) if joiner else single(chunk.entries))
        if joiner and not chunk.more:
            self._put_rest(joiner, is_over=chunk.ended)
        return True

    def _put_rest(self, joiner: Joiner, *, is_over: bool) -> None:
        """Send what may be gone on with, once nothing did for long enough."""
        if joiner.since is None:
            return
        left = joiner.since + self._group.flush_after - time.time()
        if is_over or left <= 0:
            self._put(joiner.rest())
        else:
            self.wake_in(left)

    def _put(self, events: Iterable[Event]) -> None:
        for batch in batches(events):
            self._send(batch)

    def _send(self, events: list[Structure]) -> None:
        names = {"logGroupName": self._group.name, "logStreamName": self.name}
        try:
            if not self._is_open:
                open_stream(self._endpoints, self._group, self.name)
                self._is_open = True
            self._endpoints.call(
                "logs", self._group.region, "put_log_events", logEvents=events, **names
            )
        except (EndpointError, ResourceError) as error:
            if not self._complained:
                self._complained = True
                _log.warning("%s takes no lines for %s: %s", self._endpoints.url, self.name, error)
