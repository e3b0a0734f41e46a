"""What the containers of a task write, for who reads it in pieces and waits for more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import merge
from typing import Any
from typing import NamedTuple

from kecs_server.domain.task import Task
from kecs_server.engines.logs import START
from kecs_server.engines.logs import STREAMS
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import Cursor
from kecs_server.environment import Environment
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

TEXT_PIECE = 2 * 1024 * 1024
"""Bytes, about, of a piece of text."""

LAST_BYTES_SECONDS = 30.0
"""How long the end of a stopped container's log is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines: those of `container` (None: of all) and `stream` (None: both) that come after
    `cursor`. Without a cursor: those written since the moment `since`, of which the last `tail` of
    each container; `ago` is as `since`, in seconds before now.

    `wait`: go on for ever, and when there is nothing new, for so many seconds; None: what there is.
    """

    task: str
    container: str | None = None
    stream: str | None = None
    since: float | None = None
    ago: float | None = None
    tail: int | None = None
    cursor: str | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader is in each container's log, and the moment at which it stops, if it does."""

    cursors: Mapping[str, Cursor]
    until: float | None

    @classmethod
    def parse(cls, text: str) -> Position:
        """:raises ValueError: it is none of ours."""
        try:
            found = json.loads(text)
            cursors = {
                str(name): (int(stdout), int(stderr))
                for name, (stdout, stderr) in found["at"].items()
            }
            until = found["until"]
            return cls(cursors, None if until is None else float(until))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the cursor {text!r} is not one that was given out") from error

    def __str__(self) -> str:
        return json.dumps({"at": self.cursors, "until": self.until})


class Rest(NamedTuple):
    """What is still to be read of a stream, up to `end` at least."""

    container: str
    stream: str
    offset: int
    end: int

    @classmethod
    def parse_all(cls, text: str) -> list[Rest]:
        """:raises ValueError: they are none of ours."""
        try:
            return [
                cls(str(container), str(stream), int(offset), int(end))
                for container, stream, offset, end in json.loads(text)
            ]
        except (ValueError, TypeError) as error:
            raise ValueError(f"the cursor {text!r} is not one that was given out") from error


def read_logs(environment: Environment, realm: Realm, query: LogQuery) -> Structure:
    """The next lines of a task's containers in the order of time, as `[time, container, stream,
    text]`. `more`: there are more at this moment. `ended`: there will never be any.

    :raises ValueError: no such task, container, stream or cursor.
    """
    reader = _Reader.of(environment, realm, query)
    position = reader.position(query)
    deadline = time.monotonic() + (query.wait or 0.0)
    while True:
        with realm.reading():
            version, has_stopped = realm.version, reader.has_stopped(query.container)
        logs = reader.logs(settled=not query.wait)
        news = threading.Event()
        with ExitStack() as stack:
            if query.wait:
                for log in logs.values():
                    stack.enter_context(log.listening(news.set))
            is_live = any(log.is_live for log in logs.values())
            over = realm.ended or (has_stopped and not is_live)
            lines, position, more = _read(logs, position, query)
            if lines or more or over or time.monotonic() >= deadline:
                break
            if is_live:
                news.wait(deadline - time.monotonic())
        if not is_live:
            realm.wait(version, deadline)
    return {
        "containers": reader.names,
        "lines": lines,
        "cursor": str(position),
        "more": more,
        "ended": over and not more,
    }


def read_text(environment: Environment, realm: Realm, query: LogQuery) -> Structure:
    """The next piece of what there is, however many lines that are: stdout before stderr, container
    after container, as `[container, stream, text]`. `more`: the cursor asks for the rest.

    :raises ValueError: no such task, container, stream or cursor.
    """
    reader = _Reader.of(environment, realm, query)
    logs = reader.logs(settled=True)
    streams = STREAMS if query.stream is None else (query.stream,)
    if query.cursor is not None:
        left = Rest.parse_all(query.cursor)
    else:
        left = [
            Rest(name, stream, 0, end)
            for name, log in logs.items()
            for stream, end in zip(STREAMS, log.ends(), strict=True)
            if stream in streams
        ]
    parts = []
    budget = TEXT_PIECE
    while left and budget > 0:
        name, stream, offset, end = rest = left.pop(0)
        try:
            data, offset = logs[name].read_stream(stream, offset, TEXT_PIECE)
            parts.append((name, stream, _text(data)))
        except (FileNotFoundError, KeyError):  # the task was forgotten a moment ago
            continue
        budget -= len(data)
        if data and offset < end:
            left.insert(0, rest._replace(offset=offset))
    return {
        "containers": reader.names,
        "parts": parts,
        "cursor": json.dumps(left),
        "more": bool(left),
    }


def last_lines(
    environment: Environment, realm: Realm, task: Task, container: str, lines: int
) -> dict[str, str]:
    """The last lines of each stream of a container, secrets hidden."""
    log = _settled_log(environment, realm, task, container)
    try:
        found = log.last_lines(lines) if log else {}
    except FileNotFoundError:  # the task was forgotten a moment ago
        found = {}
    if task.resources is not None:
        found = {stream: task.resources.masked(data) for stream, data in found.items()}
    return {stream: _text(found.get(stream, b"")).removesuffix("\n") for stream in STREAMS}


def masked_lines(
    environment: Environment, realm: Realm, task: Task, container: str, lines: int
) -> tuple[list[tuple[float, str, str]], int]:
    """The last lines of both streams as (time, stream, text), secrets hidden, as far as they are
    among the last `logfile.TAIL` bytes of each; and how many bytes came before.
    """
    log = _settled_log(environment, realm, task, container)
    found: list[tuple[float, str, str]] = []
    if log is None:
        return found, 0
    resources, until = task.resources, time.time()
    try:
        first = cursor = log.last(lines)
        more = True
        while more:
            chunk = log.read(cursor, until=until)
            for entry in chunk.entries:
                data = entry.data if resources is None else resources.masked(entry.data)
                found.append((entry.time, entry.stream, _text(data).removesuffix("\n")))
            cursor, more = chunk.cursor, chunk.more
    except FileNotFoundError:  # the task was forgotten a moment ago
        return found, 0
    return found, sum(first)


def find_task(realm: Realm, reference: str) -> Task:
    """:raises ValueError: no task has this ARN or id."""
    identifier = reference.rpartition("/")[2]
    with realm.reading():
        task = realm.find_task(identifier)
    if task is None:
        raise ValueError(f"there is no task {reference}")
    return task


def checked_container(task: Task, name: str) -> str:
    """:raises ValueError: the task has no such container."""
    names = [item.name for item in task.containers]
    if name not in names:
        raise ValueError(f"the task has no container {name!r}; it has {', '.join(names)}")
    return name


class _Reader:
    """The logs of some containers of a task, which the engine may not know yet or any more."""

    def __init__(
        self, environment: Environment, realm: Realm, task: Task, names: list[str]
    ) -> None:
        self._environment = environment
        self._realm = realm
        self._task = task
        self.names = names

    @classmethod
    def of(cls, environment: Environment, realm: Realm, query: LogQuery) -> _Reader:
        """:raises ValueError: no such task, container or stream."""
        task = find_task(realm, query.task)
        if query.stream is not None and query.stream not in STREAMS:
            raise ValueError(f"stream is 'stdout' or 'stderr', not {query.stream!r}")
        names = [item.name for item in task.containers]
        if query.container is not None:
            names = [checked_container(task, query.container)]
        return cls(environment, realm, task, names)

    def logs(self, *, settled: bool) -> dict[str, ContainerLog]:
        """:param settled: wait for the last bytes of those that have stopped."""
        find = _settled_log if settled else _log
        found = {
            name: find(self._environment, self._realm, self._task, name) for name in self.names
        }
        return {name: log for name, log in found.items() if log is not None}

    def has_stopped(self, container: str | None) -> bool:
        """The container, or the task as a whole. The realm is being read."""
        if container is None:
            return self._task.is_stopped
        return self._task.container(container).is_stopped

    def position(self, query: LogQuery) -> Position:
        """Where to begin."""
        if query.cursor is not None:
            return Position.parse(query.cursor)
        now = time.time()
        since = now - query.ago if query.ago is not None else query.since
        cursors = {}
        for name, log in self.logs(settled=not query.wait).items():
            stdout, stderr = START if since is None else log.since(since)
            if query.tail is not None:
                last = log.last(query.tail, query.stream)
                stdout, stderr = max(stdout, last[0]), max(stderr, last[1])
            cursors[name] = (stdout, stderr)
        return Position(cursors, None if query.wait else now)


def _read(
    logs: Mapping[str, ContainerLog], position: Position, query: LogQuery
) -> tuple[list[tuple[float, str, str, str]], Position, bool]:
    """The next piece of each log, together in the order of time."""
    parts, cursors, more = [], dict(position.cursors), False
    for name, log in logs.items():
        cursor = cursors.get(name, START)
        try:
            chunk = log.read(cursor, whole_lines=bool(query.wait), until=position.until)
        except FileNotFoundError:  # the task was forgotten a moment ago
            continue
        cursors[name] = chunk.cursor
        more = more or chunk.more
        parts.append(
            [
                (entry.time, name, entry.stream, _text(entry.data))
                for entry in chunk.entries
                if query.stream in (None, entry.stream)
            ]
        )
    return list(merge(*parts, key=lambda line: line[0])), Position(cursors, position.until), more


def _log(environment: Environment, realm: Realm, task: Task, container: str) -> ContainerLog | None:
    engine = environment.engines[realm.engine].engine
    try:
        return engine.logs(task.id, container) if engine else None
    except KeyError:
        return None


def _settled_log(
    environment: Environment, realm: Realm, task: Task, container: str
) -> ContainerLog | None:
    """A log with all that a container wrote that has stopped."""
    with realm.reading():
        has_ended = task.container(container).is_stopped and not task.is_orphaned
    log = _log(environment, realm, task, container)
    if log is not None and has_ended:
        log.wait_for_end(LAST_BYTES_SECONDS)
    return log


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
