"""A file that one stream of a container grows in, and when each part of it was written."""

from __future__ import annotations

import ctypes
import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CAP = 64 * 1024 * 1024
"""Bytes of a stream that are kept: above this the oldest eighth is given up."""

MARKS = 2048
"""Moments that are remembered of a stream; above this, of the older half every second one."""

RESOLUTION = 0.001
"""Seconds within which moments are one."""

PIECE = 1024 * 1024
PIECE_LINES = 16384
"""Bytes and lines that are read at once; a longer line comes in pieces."""

TAIL = 1024 * 1024
"""Bytes among which the last lines are looked for."""

_BLOCK = 4096
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


class Line(NamedTuple):
    """A line with its line end, if it has one; `end` is where the next one begins."""

    time: float
    data: bytes
    end: int


class LogFile:
    """Others append to the file; `note` sees how far it has grown. Not thread-safe.

    Offsets count all that was ever written: `start` is the first byte that is still there, `end`
    follows the last, and `base` is what stands at the beginning of the file, which moves only when
    the file was emptied.
    """

    __slots__ = ("_ends", "_times", "base", "end", "path", "start")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = self.start = self.end = 0
        self._times = array("d")
        self._ends = array("Q")

    def note(self, now: float) -> bool:
        """What was added since the last time was written at `now` (epoch seconds), or just
        before; False: nothing was.
        """
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return False
        if self.base + size < self.end:
            # The program has emptied it, as `> /dev/stdout` does.
            self.base = self.start = self.end
        if self.base + size == self.end:
            return False
        self.end = self.base + size
        self._mark(now)
        self._keep_cap()
        return True

    def append(self, parts: Sequence[tuple[float, bytes]]) -> None:
        """Write it ourselves: what was written at which moments."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(b"".join(data for _, data in parts))
        for moment, data in parts:
            self.end += len(data)
            self._mark(moment)
        self._keep_cap()

    def lines(self, offset: int, *, whole: bool) -> tuple[list[Line], bool]:
        """The lines from `offset`, and whether there are more than these. Where a part of the log
        is gone, a line says so.

        :param whole: leave out a last line that is not ended.
        """
        found: list[Line] = []
        offset = max(offset, 0)
        if offset < self.start:
            found.append(self._gap(offset))
            offset = found[0].end
        data = self._read(offset, PIECE)
        if not data:
            return found, False
        is_all = offset + len(data) >= self.end
        position = 0
        while position < len(data) and len(found) < PIECE_LINES:
            end = data.find(b"\n", position) + 1
            if not end:
                if (is_all and whole) or (not is_all and position):
                    break
                end = len(data) if is_all else _before_character(data)
            found.append(Line(self._time(offset + end), data[position:end], offset + end))
            position = end
        return found, not is_all or (position < len(data) and len(found) >= PIECE_LINES)

    def read(self, offset: int, size: int) -> tuple[bytes, int]:
        """About `size` bytes from `offset` on, and where that ends: between lines where it can be,
        else between characters. Where a part of the log is gone, a line says so.
        """
        gap, offset = b"", max(offset, 0)
        if offset < self.start:
            _, gap, offset = self._gap(offset)
        data = self._read(offset, size)
        if offset + len(data) < self.end:
            data = data[: data.rfind(b"\n") + 1 or _before_character(data)]
        return gap + data, offset + len(data)

    def offset_since(self, moment: float, *, live: bool) -> int:
        """Where the first line begins that was written at `moment` or later.

        :param live: the last line may be gone on with.
        """
        index = bisect_left(self._times, moment)
        if index == len(self._times) and not live:
            return self.end
        return self._line_begin(self._ends[index - 1]) if index else 0

    def offset_of_last(self, lines: int) -> int:
        """Where the last lines begin, as far as they are among the last `TAIL` bytes."""
        begin = max(self.end - TAIL, self.start)
        data = self._read(begin, TAIL)
        position = len(data)
        for count in range(lines):
            # Of the line end that is the last byte, the line stands before it.
            stop = position - 1 if count or data.endswith(b"\n") else position
            position = data.rfind(b"\n", 0, max(stop, 0)) + 1
            if not position:
                return begin if begin > self.start else 0
        return begin + position

    def _mark(self, now: float) -> None:
        """All up to `end` that has no moment yet was written now. In microseconds, so that a time
        that was shown is the same when it is given back.
        """
        now = round(now, 6)
        if self._times and now < self._times[-1] + RESOLUTION:
            self._ends[-1] = self.end
            return
        self._times.append(now)
        self._ends.append(self.end)
        if len(self._times) > MARKS:
            half = MARKS // 2
            del self._times[0:half:2], self._ends[0:half:2]

    def _time(self, end: int) -> float:
        """When the byte before `end` was written."""
        index = bisect_left(self._ends, end)
        return self._times[min(index, len(self._times) - 1)]

    def _read(self, offset: int, size: int) -> bytes:
        size = min(size, self.end - offset)
        if size <= 0:
            return b""
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), size, offset - self.base)

    def _gap(self, offset: int) -> Line:
        """What is said in place of the bytes from `offset` to the first whole line."""
        data = self._read(self.start, PIECE)
        end = self.start + (data.find(b"\n") + 1 if self.start > self.base else 0)
        text = f"[kecs: {end - offset} bytes of this log are gone; {CAP} are kept]\n"
        return Line(self._time(end), text.encode(), end)

    def _line_begin(self, offset: int) -> int:
        """Where the line begins that the byte before `offset` belongs to, if it has not ended."""
        begin = max(offset - TAIL, self.start)
        data = self._read(begin, offset - begin)
        return begin + data.rfind(b"\n") + 1

    def _keep_cap(self) -> None:
        """Give the disk back what is too much. Where holes cannot be made in files, the whole
        file is emptied.
        """
        if self.end - self.start <= CAP:
            return
        size = (self.end - CAP * 7 // 8 - self.base) // _BLOCK * _BLOCK
        try:
            with self.path.open("r+b") as file:
                punch_hole(file.fileno(), size)
            self.start = self.base + size
        except OSError:
            os.truncate(self.path, 0)
            self.base = self.start = self.end


def punch_hole(descriptor: int, size: int) -> None:
    """Free the first `size` bytes of a file, which from then on reads as zeros there.

    :raises OSError: neither the system nor the file system can be asked to.
    """
    if sys.platform != "linux":
        raise OSError("holes are punched on Linux only")
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, 0, size) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _before_character(data: bytes) -> int:
    """How much of it can be cut off without cutting a UTF-8 character in two."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        if data[end - 1] & 0xC0 != 0x80:
            return end - 1 if data[end - 1] & 0x80 else end
    return len(data)
