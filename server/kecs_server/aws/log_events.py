"""Lines of containers to events of CloudWatch Logs, as Docker's driver awslogs makes them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from kecs_server.engines.logs import LogEntry

Structure = dict[str, Any]

MAX_EVENT = 262_118
"""Bytes of one event; a longer line becomes several (256 KiB less the overhead)."""

OVERHEAD = 26
"""Bytes that each event counts for besides its text."""

MAX_BATCH = 1_048_576
MAX_EVENTS = 10_000
"""Bytes and events that PutLogEvents takes at once."""


class Event(NamedTuple):
    """`time` is in epoch seconds."""

    time: float
    text: bytes


def single(entries: Iterable[LogEntry]) -> Iterator[Event]:
    """Each line by itself, without its end."""
    for entry in entries:
        yield Event(entry.time, entry.data.rstrip(b"\r\n"))


class Joiner:
    """Joins lines to events that begin where `first_line` says so, and have the first's time."""

    def __init__(self, first_line: Callable[[bytes], bool]) -> None:
        self._first_line = first_line
        self._text = b""
        self._time = 0.0

    @property
    def since(self) -> float | None:
        """When the event began that may be gone on with."""
        return self._time if self._text else None

    def joined(self, entries: Iterable[LogEntry]) -> Iterator[Event]:
        """The events that are at their end now."""
        for time, line in single(entries):
            is_too_long = len(self._text) + len(line) > MAX_EVENT
            if is_too_long or self._first_line(line):
                yield from self.rest()
            if not self._text:
                self._time = time
            self._text += line + b"\n"

    def rest(self) -> Iterator[Event]:
        """The event that may be gone on with, as it is."""
        if self._text:
            yield Event(self._time, self._text)
        self._text = b""


def batches(events: Iterable[Event]) -> Iterator[list[Structure]]:
    """The events in portions that PutLogEvents takes."""
    batch: list[Structure] = []
    size = 0
    for event in events:
        for part in _parts(event.text):
            if batch and (size + len(part) + OVERHEAD > MAX_BATCH or len(batch) == MAX_EVENTS):
                yield batch
                batch, size = [], 0
            text = part.decode("utf-8", "replace")
            batch.append({"timestamp": round(event.time * 1000), "message": text})
            size += len(part) + OVERHEAD
    if batch:
        yield batch


def _parts(text: bytes) -> Iterator[bytes]:
    """The text, cut where it is too long; an empty one is no event."""
    data = text.decode("utf-8", "replace").encode()
    while data:
        end = len(data)
        if end > MAX_EVENT:
            end = MAX_EVENT
            while data[end] & 0xC0 == 0x80:
                end -= 1
        yield data[:end]
        data = data[end:]
