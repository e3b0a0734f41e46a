"""The supervisor's end of what a container writes: it comes by a pipe or a terminal, and is moved
to the log.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import contextlib
import os

from kecs_server.engines.process.leader import LOG_FLAGS

READ_SIZE = 1 << 16  # what a pipe holds, unless it was enlarged
LAST_READS = 256


class Output:
    """`source` is ours to read. `log` is the file's path, set before anything is copied; the file
    is opened when there is something to write. Not with splice(2), which never appends.
    """

    def __init__(self, source: int) -> None:
        self.source = source
        self.log = ""
        self._file: int | None = None
        os.set_blocking(source, False)

    def copy(self) -> int | None:
        """Write some of what there is to the log, and return how many bytes that was; None:
        nothing more will come.
        """
        try:
            data = os.read(self.source, READ_SIZE)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: the container has closed all its ends of a terminal
            return None
        if data:
            with contextlib.suppress(OSError):  # a full disk
                self._write(data)
        return len(data) or None

    def drain(self) -> None:
        """What is left when the container has ended, also where somebody else holds the other
        end, and as much as the largest pipe can hold where that one goes on writing.
        """
        for _ in range(LAST_READS):
            if not self.copy():
                return

    def close(self) -> None:
        os.close(self.source)
        if self._file is not None:
            os.close(self._file)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = os.open(self.log, LOG_FLAGS, 0o600)
        while data:
            data = data[os.write(self._file, data) :]
