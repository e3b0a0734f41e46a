"""Logs of Pods by the log API, followed from each container's start: the streams are merged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from threading import Thread
from typing import Protocol

from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.crilog import ApiParser
from kecs_server.engines.kubernetes.crilog import is_kubelet_error
from kecs_server.engines.kubernetes.streams import Stream
from kecs_server.engines.kubernetes.tracker import Container
from kecs_server.engines.kubernetes.tracker import Task
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogEntry

_log = logging.getLogger(__name__)

_LAST_BYTES_SECONDS = 10.0
_GAP = b"[kecs: a part of this log was lost]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """A container of a Pod, which has one life. `name` is that of the ECS container, whose lives
    may be several such.
    """

    task_id: str
    pod: str
    uid: str
    node: str
    container: str
    name: str


def log_source(task: Task, container: Container) -> LogSource:
    """The log of a container in the life that it has now."""
    return LogSource(
        task_id=task.id,
        pod=task.pod,
        uid=task.uid,
        node=task.node,
        container=container.place.name,
        name=container.spec.name,
    )


class LogKeeper(Protocol):
    """Keeps logs in files of its own until `discard`. Thread-safe."""

    def log(self, task_id: str, name: str) -> ContainerLog:
        """The log of an ECS container, which may not have begun."""

    def begin(self, source: LogSource) -> None:
        """The container has started. Returns at once."""

    def save(self, source: LogSource) -> None:
        """The container is about to end and its logs with it: have what it wrote so far."""

    def keep(self, source: LogSource) -> None:
        """The container has ended: have all that it wrote before its Pod goes."""

    def discard(self, task_id: str) -> None:
        """Delete what was kept of a task."""

    def close(self) -> None:
        """End what runs in the background."""


class FollowedLog(ContainerLog):
    """Written to by a thread for each life."""

    __slots__ = ("threads",)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.threads: dict[LogSource, Thread] = {}

    def refresh(self) -> None:
        """What comes is in the files already."""


class FollowedLogs:
    """The log API, one thread for each running container."""

    def __init__(self, directory: Path, api: ClusterApi, namespace: str) -> None:
        self._directory = directory
        self._api = api
        self._namespace = namespace
        self._lock = Lock()
        self._closed = False
        self._logs: dict[tuple[str, str], FollowedLog] = {}
        self._streams: dict[LogSource, Stream] = {}

    def log(self, task_id: str, name: str) -> FollowedLog:
        with self._lock:
            key = (task_id, name)
            if key not in self._logs:
                self._logs[key] = FollowedLog(self._directory / task_id / name)
            return self._logs[key]

    def begin(self, source: LogSource) -> None:
        log = self.log(source.task_id, source.name)
        with self._lock:
            if self._closed or source in log.threads:
                return
            before = list(log.threads.values())
            thread = log.threads[source] = Thread(
                target=self._follow, args=(source, log, before), name="kecs-log", daemon=True
            )
        log.begin()
        thread.start()

    def save(self, source: LogSource) -> None:
        """It is being saved all the time."""

    def keep(self, source: LogSource) -> None:
        """Wait for the last bytes."""
        log = self.log(source.task_id, source.name)
        with self._lock:
            thread = log.threads.get(source)
        if thread is not None:
            thread.join(_LAST_BYTES_SECONDS)

    def discard(self, task_id: str) -> None:
        with self._lock:
            for key in [key for key in self._logs if key[0] == task_id]:
                del self._logs[key]
        shutil.rmtree(self._directory / task_id, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            streams = list(self._streams.values())
            threads = [thread for log in self._logs.values() for thread in log.threads.values()]
        for stream in streams:
            stream.close()
        for thread in threads:
            thread.join(5)

    def _follow(self, source: LogSource, log: FollowedLog, before: list[Thread]) -> None:
        """When the stream breaks, begin again and pass over what we have: the API sends a log
        from its start, or from its last rotation.
        """
        for thread in before:
            thread.join()
        parser, passed, ended = ApiParser(), 0, False
        try:
            while not self._closed:
                had = passed
                try:
                    for chunk in self._chunks(source, passed):
                        passed += len(chunk)
                        log.append(parser.feed(chunk))
                except _LogLost:
                    if not ended:
                        log.append([LogEntry(parser.time, "stdout", _GAP)])
                    break
                except ApiError as error:
                    _log.info("The log of %s broke off: %s", source.pod, error)
                    if not error.is_transient:
                        break
                    continue
                # A container may count as ended a moment before its last bytes are in its log.
                if ended and passed == had:
                    break
                ended = True
            log.append(parser.finish())
        finally:
            with self._lock:
                is_last = list(log.threads)[-1] == source
            if is_last:
                log.end()

    def _chunks(self, source: LogSource, skip: int) -> Iterator[bytes]:
        """
        :raises ApiError: the connection broke.
        :raises _LogLost: the log is gone, or shorter than what was read of it before.
        """
        stream = self._api.follow_log(self._namespace, source.pod, source.container)
        with self._lock:
            self._streams[source] = stream
            if self._closed:
                stream.close()
        try:
            for chunk in stream:
                if skip and is_kubelet_error(chunk):
                    raise _LogLost
                if chunk[skip:]:
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))
            if skip:
                raise _LogLost
        finally:
            with self._lock:
                del self._streams[source]


class _LogLost(Exception):
    """A part of a log is gone."""
