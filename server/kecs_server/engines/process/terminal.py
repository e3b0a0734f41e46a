"""The supervisor's end of a container's pseudo-terminal, whose output it writes to the log.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import contextlib
import os

from kecs_server.engines.process.leader import LOG_FLAGS

READ_SIZE = 1 << 16


class Terminal:
    """`end` is the container's, to be closed here when the container has it.

    :raises OSError: no terminal is left, or the log cannot be opened.
    """

    def __init__(self, log: str) -> None:
        self._log = os.open(log, LOG_FLAGS, 0o600)
        try:
            self.master, self.end = os.openpty()
        except OSError:
            os.close(self._log)
            raise
        os.set_blocking(self.master, False)

    def copy(self) -> bool:
        """Write what there is to the log; False: nothing more will come."""
        try:
            data = os.read(self.master, READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:  # EIO: the container has closed all its ends
            return False
        with contextlib.suppress(OSError):  # a full disk
            os.write(self._log, data)
        return bool(data)

    def drain(self) -> None:
        """What is left when the container has ended, or as much as a terminal can hold."""
        for _ in range(16):
            if not self.copy():
                return

    def close(self) -> None:
        os.close(self.master)
        os.close(self._log)
