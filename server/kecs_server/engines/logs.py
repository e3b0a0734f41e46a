"""What a container wrote, read in pieces while it grows and after its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile
from pathlib import Path
from threading import Event
from threading import RLock
from typing import NamedTuple

from kecs_server.engines.logfile import Line
from kecs_server.engines.logfile import LogFile

STREAMS = ("stdout", "stderr")

Cursor = tuple[int, int]
"""How far stdout and stderr were read."""

START: Cursor = (0, 0)


class LogEntry(NamedTuple):
    """A line of a stream with its line end, if it has one. `time` is in epoch seconds of real
    time, to about a millisecond.
    """

    time: float
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a log, in the order of time, and the cursor that the next piece begins at.

    `more`: there is more at this moment. `ended`: this was the last; only a restart brings more.
    """

    entries: list[LogEntry]
    cursor: Cursor
    more: bool
    ended: bool


class ContainerLog:
    """The log of one container in all its lives; engines feed it. Thread-safe.

    Its streams are in files, of which the last `logfile.CAP` bytes each are kept. An engine that
    cannot keep the streams apart puts all in `stdout`.

    :param directory: gets `stdout.log` and `stderr.log`; the engine deletes it.
    """

    __slots__ = ("_files", "_listeners", "_live", "_lock")

    def __init__(self, directory: Path) -> None:
        self._files = tuple(LogFile(directory / f"{stream}.log") for stream in STREAMS)
        self._lock = RLock()
        self._live = False
        self._listeners: list[Callable[[], None]] = []

    # -- for who reads

    @property
    def is_live(self) -> bool:
        """The container runs."""
        return self._live

    def read(
        self, cursor: Cursor = START, *, whole_lines: bool = False, until: float | None = None
    ) -> LogChunk:
        """The next piece; of limited size.

        :param whole_lines: leave out a line that may be gone on with.
        :param until: leave out what was written after this moment.
        """
        self.refresh()
        with self._lock:
            live = self._live
            parts = [
                file.lines(offset, whole=whole_lines and live)
                for file, offset in zip(self._files, cursor, strict=True)
            ]
        # What is in order up to here: of a stream with more to come, no line is passed over.
        horizons = [lines[-1].time for lines, more in parts if more]
        horizon = min([*horizons, float("inf") if until is None else until])
        reached = list(cursor)
        entries = []
        for index, line in takewhile(lambda it: it[1].time <= horizon, _merge(parts)):
            entries.append(LogEntry(line.time, STREAMS[index], line.data))
            reached[index] = line.end
        more = bool(horizons) and (until is None or min(horizons) <= until)
        return LogChunk(entries, (reached[0], reached[1]), more, not (more or live))

    def ends(self) -> Cursor:
        """Where that ends which is there now."""
        self.refresh()
        with self._lock:
            stdout, stderr = (file.end for file in self._files)
        return stdout, stderr

    def read_stream(self, stream: str, offset: int, size: int) -> tuple[bytes, int]:
        """About `size` bytes of a stream from `offset` on, and where they end. Cheap, whatever
        lines they are.
        """
        with self._lock:
            return self._files[STREAMS.index(stream)].read(offset, size)

    def since(self, moment: float) -> Cursor:
        """Where that begins which was written at `moment` (epoch seconds) or later."""
        self.refresh()
        with self._lock:
            stdout, stderr = (file.offset_since(moment, live=self._live) for file in self._files)
        return stdout, stderr

    def last(self, lines: int, stream: str | None = None) -> Cursor:
        """Where the last lines of a stream begin, or of both streams together (None). Cheap,
        however large the log is.
        """
        self.refresh()
        with self._lock:
            cursor = [file.offset_of_last(lines) for file in self._files]
        if stream is None:
            chunks = list(self._pieces((cursor[0], cursor[1])))
            entries = [entry for chunk in chunks for entry in chunk.entries]
            for entry in entries[: max(len(entries) - lines, 0)]:
                cursor[STREAMS.index(entry.stream)] += len(entry.data)
        return cursor[0], cursor[1]

    def last_lines(self, lines: int) -> dict[str, bytes]:
        """The last lines of each stream. Cheap, however large the log is."""
        self.refresh()
        with self._lock:
            stdout, stderr = (file.offset_of_last(lines) for file in self._files)
        parts: dict[str, list[bytes]] = {stream: [] for stream in STREAMS}
        for chunk in self._pieces((stdout, stderr)):
            for entry in chunk.entries:
                parts[entry.stream].append(entry.data)
        return {stream: b"".join(data) for stream, data in parts.items()}

    @contextmanager
    def listening(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called whenever something new may be there, and at each end. It is
        called by any thread and must return at once.
        """
        with self._lock:
            self._listeners = [*self._listeners, callback]
        try:
            yield
        finally:
            with self._lock:
                listeners = list(self._listeners)
                listeners.remove(callback)
                self._listeners = listeners

    def wait_for_end(self, timeout: float) -> None:
        """Wait until all that was written is there; for a container that is known to have ended,
        which some engines learn before they have its last bytes.
        """
        told = Event()
        deadline = time.monotonic() + timeout
        with ContainerLog.listening(self, told.set):
            while self._live and time.monotonic() < deadline:
                told.wait(deadline - time.monotonic())
                told.clear()

    # -- for engines

    def begin(self) -> None:
        """The container runs, for the first time or again."""
        self._live = True

    def end(self) -> None:
        """The container has ended, and all that it wrote is in the files."""
        self.refresh()
        self._live = False
        self._tell()

    def refresh(self) -> None:
        """Look how far the files have grown."""
        now = time.time()
        with self._lock:
            grown = [file.note(now) for file in self._files]
        if any(grown):
            self._tell()

    def append(self, entries: Iterable[LogEntry]) -> None:
        """Write what came from elsewhere."""
        by_stream: dict[str, list[tuple[float, bytes]]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append((entry.time, entry.data))
        with self._lock:
            for stream, parts in by_stream.items():
                self._files[STREAMS.index(stream)].append(parts)
        if by_stream:
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _pieces(self, cursor: Cursor) -> Iterator[LogChunk]:
        """What is there now, from the cursor on."""
        until = time.time()
        while True:
            chunk = self.read(cursor, until=until)
            yield chunk
            if not chunk.more:
                return
            cursor = chunk.cursor


def _merge(parts: list[tuple[list[Line], bool]]) -> Iterator[tuple[int, Line]]:
    """Lines in the order of time, each with its stream's number."""

    def numbered(index: int, lines: list[Line]) -> Iterator[tuple[int, Line]]:
        return ((index, line) for line in lines)

    return merge(
        *(numbered(index, lines) for index, (lines, _) in enumerate(parts)),
        key=lambda it: it[1].time,
    )
