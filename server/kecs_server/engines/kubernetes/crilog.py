"""Logs in kubelet's and the log API's forms -> entries. Pure.

kubelet's files (CRI): a line is `<time> <stream> <tag> <text>`; the tag is F for a full line, P for
a part of one (the program wrote more than 16 KiB, or ended, without a line end). The log API:
`<time> <text>`, the streams merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from kecs_server.engines.logs import LogEntry

LONGEST_PART = 16 * 1024
"""Bytes of a line that containerd gives in one part."""

_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
_KUBELET_ERROR = re.compile(
    rb"(rpc error: code = \w+ desc|unable to retrieve container logs)[^\n]*[0-9a-f]{64}[^\n]*$"
)


class Lines:
    """Cuts what comes piece by piece into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def rest(self) -> bytes:
        """The line that has not ended."""
        rest, self._rest = self._rest, b""
        return rest


class CriParser:
    """kubelet's files. What the program wrote comes out byte for byte."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, data: bytes) -> Iterator[LogEntry]:
        for line in self._lines.feed(data):
            parts = line.split(b" ", 3)
            if len(parts) == 4 and parts[1] in (b"stdout", b"stderr"):
                is_part = parts[2].split(b":", 1)[0] == b"P"
                text = parts[3] if is_part else parts[3] + b"\n"
                yield LogEntry(parse_time(parts[0]), parts[1].decode(), text)


class ApiParser:
    """The log API with timestamps; all becomes stdout. `time` is that of the last line."""

    def __init__(self) -> None:
        self._lines = Lines()
        self.time = 0.0

    def feed(self, data: bytes) -> Iterator[LogEntry]:
        for line in self._lines.feed(data):
            yield from self._entry(line + b"\n")

    def finish(self) -> Iterator[LogEntry]:
        """What stands behind the last line end."""
        yield from self._entry(self._lines.rest())

    def _entry(self, line: bytes) -> Iterator[LogEntry]:
        found = _TIME.match(line)
        if found:
            self.time = parse_time(found[0].rstrip())
            line = _without_times_between_parts(line[found.end() :])
        # kubelet ends a stream with its own error when the container's removal overtakes it.
        text = _KUBELET_ERROR.sub(b"", line)
        if text:
            yield LogEntry(self.time, "stdout", text)


def is_kubelet_error(text: bytes) -> bool:
    """Whether the log API answers this in place of a log that is gone with its container."""
    return _KUBELET_ERROR.match(text) is not None


def parse_time(text: bytes) -> float:
    return datetime.fromisoformat(text.decode()).timestamp()


def _without_times_between_parts(line: bytes) -> bytes:
    """Until 1.20 kubelet wrote the time before each part of a line."""
    parts = []
    while len(line) > LONGEST_PART and (found := _TIME.match(line, LONGEST_PART)):
        parts.append(line[:LONGEST_PART])
        line = line[found.end() :]
    return b"".join([*parts, line])
