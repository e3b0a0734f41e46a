"""What containers wrote, read page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple

from pytest_kecs.waiting import seconds

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

HOLD_SECONDS = 20.0
"""How long the server holds a call when nothing new comes."""

Since = datetime | timedelta | float


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a container wrote at `time` (epoch seconds of real time).

    `raw` has the line end, if there was one; bytes that are no UTF-8 are replaced.
    """

    time: float
    container: str
    stream: str
    raw: str

    @property
    def text(self) -> str:
        """The line without its end."""
        return self.raw.removesuffix("\n")

    @property
    def timestamp(self) -> str:
        """The time in UTC, as in 2026-11-24T10:36:55.123456Z."""
        moment = datetime.fromtimestamp(self.time, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines; `cursor` asks for those after them. `more`: there are some already. `ended`:
    there will never be any. `containers`: all whose lines were asked for, in the task's order.
    """

    containers: list[str]
    lines: list[LogLine]
    cursor: str
    more: bool
    ended: bool


class TextPart(NamedTuple):
    """What a container wrote next to a stream."""

    container: str
    stream: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPage:
    """Some of what was written; `cursor` asks for the rest, if there is `more`. `containers`: all
    that were asked for, in the task's order.
    """

    containers: list[str]
    parts: list[TextPart]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines of a task: of a container (None: of all), of a stream (None: of both), written
    `since` a moment (a timedelta: so long before now), and of those the last `tail` of each
    container.

    :raises ValueError: there is no such stream, or `tail` is negative.
    """

    task: str
    container: str | None = None
    stream: str | None = None
    since: Since | None = None
    tail: int | None = None

    def __post_init__(self) -> None:
        if self.stream not in (None, "stdout", "stderr"):
            raise ValueError(f"stream is 'stdout' or 'stderr', not {self.stream!r}")
        if self.tail is not None and self.tail < 0:
            raise ValueError(f"tail is a number of lines, not {self.tail}")

    def pages(
        self, source: AdminClient, *, follow: bool = False, timeout: float | None = None
    ) -> Iterator[LogPage]:
        """What there is; `follow`: and what comes, until the task (or `container`) has stopped, for
        `timeout` seconds at most; what is there then need not end with a line.
        """
        limit = None if timeout is None else seconds() + timeout

        def hold() -> float | None:
            if not follow:
                return None
            left = HOLD_SECONDS if limit is None else min(HOLD_SECONDS, limit - seconds())
            return left if left > 0 else None

        since = self.since.timestamp() if isinstance(self.since, datetime) else self.since
        read = partial(
            source.read_logs,
            self.task,
            self.container,
            stream=self.stream,
            since=None if isinstance(since, timedelta) else since,
            ago=since.total_seconds() if isinstance(since, timedelta) else None,
            tail=self.tail,
        )
        wait = hold()
        page = read(wait=wait)
        yield page
        while page.more or (wait is not None and not page.ended):
            is_last = wait is not None and (wait := hold()) is None
            page = read(cursor=page.cursor, wait=wait)
            yield page
            if is_last:
                # Who writes without end would be read without end.
                return

    def text(self, source: AdminClient) -> Iterator[TextPage]:
        """What there is of the container and stream, in large pieces, not looking at lines."""
        read = partial(source.read_text, self.task, self.container, stream=self.stream)
        page = read()
        yield page
        while page.more:
            page = read(cursor=page.cursor)
            yield page


def collect(
    source: AdminClient, query: LogQuery, *, timestamps: bool = False
) -> dict[str, dict[str, str]]:
    """What there is, by container and stream."""
    parts: dict[tuple[str, str], list[str]] = {}
    names: list[str] = []
    if timestamps or query.since is not None or query.tail is not None:
        for page in query.pages(source):
            names = page.containers
            for line in page.lines:
                text = f"{line.timestamp} {line.raw}" if timestamps else line.raw
                parts.setdefault((line.container, line.stream), []).append(text)
    else:
        for piece in query.text(source):
            names = piece.containers
            for container, stream, text in piece.parts:
                parts.setdefault((container, stream), []).append(text)
    return {
        name: {stream: "".join(parts.get((name, stream), ())) for stream in ("stdout", "stderr")}
        for name in names
    }


def last_lines(source: AdminClient, query: LogQuery) -> list[LogLine]:
    """What there is, line by line."""
    return [line for page in query.pages(source) for line in page.lines]


def follow_lines(source: AdminClient, query: LogQuery) -> Iterator[LogLine]:
    """Lines as they come, until the task (or the container) has stopped."""
    for page in query.pages(source, follow=True):
        yield from page.lines
