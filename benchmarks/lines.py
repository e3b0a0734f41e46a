"""Lines that another process prints, each waited for with a limit."""

from __future__ import annotations

import select
import subprocess
import time

from benchmarks.errors import BenchmarkError

_CHUNK = 65536


class Lines:
    """The standard output of `process`, which must be a pipe of bytes without a buffer."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._pending = b""

    def next(self, what: str, seconds: float) -> str:
        """The next line.

        :raises BenchmarkError: `what` did not come in that time, or the process has ended.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._stream], [], [], left)[0]:
                raise BenchmarkError(f"{what} was not seen within {seconds:g} s")
            chunk = self._stream.read(_CHUNK)
            if not chunk:
                raise BenchmarkError(f"{what} was not seen: the program that looks has ended")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()
