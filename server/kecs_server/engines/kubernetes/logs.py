"""What containers wrote: read while they run, kept when they have ended.

Two ways: on kind kubelet's files on the node, both streams apart; elsewhere the log API,
followed from each container's start, which merges them.
"""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from threading import Thread
from typing import Protocol

from kecs_server.engines.base import ContainerLogs
from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes import crilog
from kecs_server.engines.kubernetes import nodes
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.pods import Place
from kecs_server.engines.kubernetes.streams import Stream
from kecs_server.engines.kubernetes.tracker import Task

_log = logging.getLogger(__name__)

_LAST_BYTES_SECONDS = 10.0
_KUBELET_ERROR = re.compile(
    rb"(rpc error: code = \w+ desc|unable to retrieve container logs)[^\n]*[0-9a-f]{64}[^\n]*$"
)
_GAP = b"[kecs: a part of this log was lost]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """A container of a Pod, as far as its logs are concerned."""

    task_id: str
    pod: str
    uid: str
    node: str
    container: str


def log_source(task: Task, place: Place) -> LogSource:
    """The logs of a task's container at one of its places."""
    return LogSource(
        task_id=task.id,
        pod=task.pod,
        uid=task.uid,
        node=task.node,
        container=place.name,
    )


class LogKeeper(Protocol):
    """Keeps logs in files of its own until `discard`. Thread-safe."""

    def begin(self, source: LogSource) -> None:
        """The container has started. Returns at once."""

    def save(self, source: LogSource) -> None:
        """The container is about to end and its logs with it: have what it wrote so far."""

    def keep(self, source: LogSource) -> None:
        """The container has ended: have all that it wrote before its Pod goes."""

    def read(self, source: LogSource) -> ContainerLogs:
        """What it wrote so far."""

    def discard(self, task_id: str) -> None:
        """Delete what was kept of a task."""

    def close(self) -> None:
        """End what runs in the background."""


class NodeLogs:
    """kubelet's log files, rotated ones too. The log API lost 60 MB of a log after rotation."""

    def __init__(self, directory: Path, namespace: str) -> None:
        self._directory = directory
        self._namespace = namespace
        self._kept: set[tuple[str, str]] = set()

    def begin(self, source: LogSource) -> None:
        """The files are read when asked for."""

    def save(self, source: LogSource) -> None:
        try:
            self._save(source)
        except EngineError as error:
            _log.warning("Logs of %s: %s", source.pod, error)

    def keep(self, source: LogSource) -> None:
        key = (source.task_id, source.container)
        if not source.uid or key in self._kept:
            return
        try:
            self._save(source)
            self._kept.add(key)
        except EngineError as error:
            _log.warning("Logs of %s: %s", source.pod, error)

    def read(self, source: LogSource) -> ContainerLogs:
        try:
            if (source.task_id, source.container) not in self._kept:
                return self._fetch(source)
        except EngineError as error:
            why = " ".join(str(error).split())
            return ContainerLogs(stdout=b"", stderr=f"[kecs: no logs: {why}]\n".encode())
        stdout, stderr = self._path(source, "stdout"), self._path(source, "stderr")
        if not stderr.exists():
            return ContainerLogs(stdout=b"")
        return ContainerLogs(stdout=stdout.read_bytes(), stderr=stderr.read_bytes())

    def discard(self, task_id: str) -> None:
        self._kept = {key for key in self._kept if key[0] != task_id}
        shutil.rmtree(self._directory / task_id, ignore_errors=True)

    def close(self) -> None:
        """Nothing runs in the background."""

    def _path(self, source: LogSource, stream: str) -> Path:
        return self._directory / source.task_id / f"{source.container}.{stream}"

    def _save(self, source: LogSource) -> None:
        logs = self._fetch(source)
        # Nothing may mean that the files are gone already; what was saved before is better.
        if logs.stdout or logs.stderr or not self._path(source, "stderr").exists():
            _write(self._path(source, "stdout"), logs.stdout)
            _write(self._path(source, "stderr"), logs.stderr)

    def _fetch(self, source: LogSource) -> ContainerLogs:
        return crilog.parse(
            nodes.read_log(source.node, self._namespace, source.pod, source.uid, source.container)
        )


class FollowedLogs:
    """The log API, one thread for each running container."""

    def __init__(self, directory: Path, api: ClusterApi, namespace: str) -> None:
        self._directory = directory
        self._api = api
        self._namespace = namespace
        self._lock = Lock()
        self._closed = False
        self._threads: dict[tuple[str, str], Thread] = {}
        self._streams: dict[tuple[str, str], Stream] = {}

    def begin(self, source: LogSource) -> None:
        key = (source.task_id, source.container)
        thread = Thread(target=self._follow, args=(source,), name="kecs-log", daemon=True)
        with self._lock:
            if self._closed or key in self._threads:
                return
            self._threads[key] = thread
        thread.start()

    def save(self, source: LogSource) -> None:
        """It is being saved all the time."""

    def keep(self, source: LogSource) -> None:
        """Wait for the last bytes."""
        with self._lock:
            thread = self._threads.get((source.task_id, source.container))
        if thread is not None:
            thread.join(_LAST_BYTES_SECONDS)

    def read(self, source: LogSource) -> ContainerLogs:
        path = self._path(source)
        return ContainerLogs(stdout=path.read_bytes() if path.exists() else b"")

    def discard(self, task_id: str) -> None:
        with self._lock:
            for key in [key for key in self._threads if key[0] == task_id]:
                del self._threads[key]
        shutil.rmtree(self._directory / task_id, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            streams, threads = list(self._streams.values()), list(self._threads.values())
        for stream in streams:
            stream.close()
        for thread in threads:
            thread.join(5)

    def _path(self, source: LogSource) -> Path:
        return self._directory / source.task_id / f"{source.container}.stdout"

    def _follow(self, source: LogSource) -> None:
        """When the stream breaks, begin again and pass over what we have: the API sends a log
        from its start, or from its last rotation.
        """
        path = self._path(source)
        _write(path, b"")
        while not self._closed:
            try:
                self._copy(source, path)
                return
            except ApiError as error:
                _log.info("The log of %s broke off: %s", source.pod, error)
                if not error.is_transient:
                    return

    def _copy(self, source: LogSource, path: Path) -> None:
        stream = self._api.follow_log(self._namespace, source.pod, source.container)
        key = (source.task_id, source.container)
        with self._lock:
            self._streams[key] = stream
            if self._closed:
                stream.close()
        skip = path.stat().st_size
        try:
            with path.open("ab") as file:
                for chunk in stream:
                    file.write(chunk[skip:])
                    file.flush()
                    skip = max(0, skip - len(chunk))
                if skip:
                    file.write(_GAP)
            _cut_kubelet_error(path)
        finally:
            with self._lock:
                del self._streams[key]


def _cut_kubelet_error(path: Path) -> None:
    """kubelet ends a stream with its own error when the container's removal overtakes it."""
    text = path.read_bytes()
    clean = _KUBELET_ERROR.sub(b"", text)
    if clean != text:
        _write(path, clean)


def _write(path: Path, data: bytes) -> None:
    """All or nothing: others may be reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
