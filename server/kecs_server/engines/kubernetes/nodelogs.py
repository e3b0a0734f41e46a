"""Logs of Pods on kind: kubelet's files on the node, rotated ones too. The log API merges the
streams, and lost 60 MB of a log after rotation.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from threading import Condition
from threading import Lock
from threading import Thread
from time import monotonic
from time import sleep
from time import time

from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.commands import Output
from kecs_server.engines.kubernetes.crilog import CriParser
from kecs_server.engines.kubernetes.logs import LogSource
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogEntry

_log = logging.getLogger(__name__)

PODS = "/var/log/pods"
"""Where kubelet has a directory for each Pod."""

_FETCH_SECONDS = 120.0
_PAUSE_SECONDS = 0.1
_LAST_SECONDS = 5.0
_CLOSE_SECONDS = 5.0

# kubelet renames a full 0.log to 0.log.<time> and compresses all of these but the newest. Written
# are frames: a line `<size> <seen> <at>`, then so many bytes, which stand at the position `at` of
# the file that follows the rotated one `seen` (`-`: of the first). Without 0.log the newest rotated
# one is still written to.
_SCRIPT = r"""
cd "$1" 2>/dev/null || exit 0
seen=$2 at=$3

frame() {
    if [ "$1" -gt "$at" ]; then
        echo "$(($1 - at)) $seen $at"
        tail -c "+$((at + 1))" | head -c "$(($1 - at))"
    fi
}

emit() {
    current= before=
    if [ -e 0.log ] && { command exec 3<0.log; } 2>/dev/null; then
        current=$(stat -L -c %i /proc/self/fd/3)
    fi
    for file in 0.log.2*; do
        name=${file%.gz}
        case $file in *.tmp|'0.log.2*') continue ;; esac
        [ "$name" \> "$seen" ] && [ "$name" != "$before" ] || continue
        { command exec 4<"$file"; } 2>/dev/null || continue
        [ -z "$before" ] || { seen=$before; at=0; }
        before=$name
        case $file in
            *.gz)
                size=$(gzip -dc </proc/self/fd/4 | wc -c)
                gzip -dc </proc/self/fd/4 | frame "$size"
                ;;
            *)
                size=$(stat -L -c %s /proc/self/fd/4)
                frame "$size" </proc/self/fd/4
                [ "$(stat -L -c %i /proc/self/fd/4)" != "$current" ] || current=
                ;;
        esac
        [ "$size" -le "$at" ] || at=$size
    done
    [ -n "$current" ] || return 0
    [ -z "$before" ] || { seen=$before; at=0; }
    size=$(stat -L -c %s /proc/self/fd/3)
    frame "$size" </proc/self/fd/3
    [ "$size" -le "$at" ] || at=$size
}

emit
[ "$4" = follow ] || exit 0
{
    tail -n 1 -F 0.log 2>/dev/null |
        while [ -n "$(dd bs=65536 count=1 2>/dev/null | head -c 1 | tr '\0\n' xx)" ]; do emit; done
} &
cat >/dev/null
kill 0
"""


@dataclass(slots=True, eq=False)
class _Reading:
    """How far the files of a source were read: `at` in the one that follows `seen`."""

    source: LogSource
    parser: CriParser = field(default_factory=CriParser)
    seen: str = "-"
    at: int = 0
    ended: bool = False
    """It is being read for the last time."""
    kept: bool = False


class NodeLog(ContainerLog):
    """Reads from the node when it is read, and as the container writes while somebody listens."""

    __slots__ = (
        "_changed",
        "_failure",
        "_follower",
        "_is_fetching",
        "_namespace",
        "_readings",
    )

    def __init__(self, directory: Path, namespace: str) -> None:
        super().__init__(directory)
        self._namespace = namespace
        self._changed = Condition()
        self._readings: list[_Reading] = []
        self._is_fetching = False
        self._follower: Output | None = None
        self._failure = ""

    def begin_life(self, source: LogSource) -> None:
        """Returns at once."""
        with self._changed:
            if any(each.source == source for each in self._readings):
                return
            self._readings.append(_Reading(source))
        self.begin()
        if self._listeners:
            # Not here: it may have to wait for somebody who reads from the node.
            Thread(target=self._follow, name="kecs-log", daemon=True).start()

    def keep_life(self, source: LogSource) -> None:
        """Its last bytes; the container has ended."""
        with self._changed:
            ending = [it for it in self._readings if it.source == source and not it.ended]
            if not ending:
                return
            ending[0].ended = True
        self.stop_following()
        self._fetch_last(ending[0])
        with self._changed:
            ending[0].kept = True
            self._live = not all(it.kept for it in self._readings)
        self._tell()
        if self._listeners:
            self._follow()

    def refresh(self) -> None:
        if self._live:
            self._fetch()

    @contextmanager
    def listening(self, callback: Callable[[], None]) -> Iterator[None]:
        with super().listening(callback):
            self._follow()
            yield

    def stop_following(self) -> None:
        with self._changed:
            follower = self._follower
            if follower is None:
                return
            follower.close()
            if not self._changed.wait_for(lambda: self._follower is not follower, _CLOSE_SECONDS):
                follower.kill()
                self._changed.wait_for(lambda: self._follower is not follower, _CLOSE_SECONDS)

    def _fetch_last(self, reading: _Reading) -> None:
        """The node may still be writing down what the container left in its pipes, and tells
        nobody when it is done: read until nothing is added any more.
        """
        deadline = monotonic() + _LAST_SECONDS
        self._fetch()
        place = None
        while place != (reading.seen, reading.at) and monotonic() < deadline:
            place = (reading.seen, reading.at)
            sleep(_PAUSE_SECONDS)
            self._fetch()

    def _fetch(self) -> None:
        """What is on the node now; left to the follower if there is one."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_fetching)
            if self._follower is not None:
                return
            self._is_fetching = True
            readings = [it for it in self._readings if not it.kept]
        try:
            for reading in readings:
                self._take(reading, self._open(reading, "once"), _FETCH_SECONDS)
            self._failure = ""
        except EngineError as error:
            self._complain(" ".join(str(error).split()))
        finally:
            with self._changed:
                self._is_fetching = False
                self._changed.notify_all()

    def _follow(self) -> None:
        """Have a process on the node send what is new as it comes."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_fetching)
            reading = next((it for it in self._readings if not it.kept), None)
            if reading is None or reading.ended or self._follower is not None:
                return
            try:
                follower = self._follower = self._open(reading, "follow")
            except EngineError as error:
                _log.warning("The log of %s cannot be followed: %s", reading.source.pod, error)
                return
        Thread(
            target=self._run_follower, args=(reading, follower), name="kecs-log", daemon=True
        ).start()

    def _run_follower(self, reading: _Reading, follower: Output) -> None:
        try:
            self._take(reading, follower, None)
        except EngineError as error:
            _log.warning("The log of %s is followed no more: %s", reading.source.pod, error)
        finally:
            with self._changed:
                self._follower = None
                self._changed.notify_all()

    def _open(self, reading: _Reading, how: str) -> Output:
        """:raises CommandError: the tool could not be run."""
        source = reading.source
        folder = f"{PODS}/{self._namespace}_{source.pod}_{source.uid}/{source.container}"
        place = [folder, reading.seen, str(reading.at)]
        command = ["docker", "exec", "-i", source.node, "sh", "-c", _SCRIPT, "sh", *place, how]
        return Output(command, what=f"the node {source.node} could not read {folder}")

    def _take(self, reading: _Reading, output: Output, timeout: float | None) -> None:
        """:raises CommandError: the node does not answer."""
        frames = _Frames()
        for data in output.read(timeout):
            for seen, at, piece in frames.feed(data):
                reading.seen, reading.at = seen, at + len(piece)
                self.append(reading.parser.feed(piece))

    def _complain(self, why: str) -> None:
        if why != self._failure:
            self._failure = why
            text = f"[kecs: no logs: {why}]\n"
            self.append([LogEntry(time(), "stderr", text.encode())])


class _Frames:
    """Takes apart what the script writes."""

    def __init__(self) -> None:
        self._data = b""
        self._left = 0
        self._seen = "-"
        self._at = 0

    def feed(self, data: bytes) -> Iterator[tuple[str, int, bytes]]:
        """Pieces of files, each with its position."""
        self._data += data
        while self._data:
            if not self._left:
                head, line_end, rest = self._data.partition(b"\n")
                if not line_end:
                    return
                left, seen, at = head.decode().split(" ")
                self._left, self._seen, self._at, self._data = int(left), seen, int(at), rest
            piece, self._data = self._data[: self._left], self._data[self._left :]
            if piece:
                yield self._seen, self._at, piece
            self._left -= len(piece)
            self._at += len(piece)


class NodeLogs:
    """Keeps the logs of an engine on kind; see `logs.LogKeeper`."""

    def __init__(self, directory: Path, namespace: str) -> None:
        self._directory = directory
        self._namespace = namespace
        self._lock = Lock()
        self._logs: dict[tuple[str, str], NodeLog] = {}

    def log(self, task_id: str, name: str) -> NodeLog:
        with self._lock:
            key = (task_id, name)
            if key not in self._logs:
                self._logs[key] = NodeLog(self._directory / task_id / name, self._namespace)
            return self._logs[key]

    def begin(self, source: LogSource) -> None:
        self.log(source.task_id, source.name).begin_life(source)

    def save(self, source: LogSource) -> None:
        self.log(source.task_id, source.name).refresh()

    def keep(self, source: LogSource) -> None:
        self.log(source.task_id, source.name).keep_life(source)

    def discard(self, task_id: str) -> None:
        with self._lock:
            for key in [key for key in self._logs if key[0] == task_id]:
                del self._logs[key]
        shutil.rmtree(self._directory / task_id, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            logs = list(self._logs.values())
        for log in logs:
            log.stop_following()
