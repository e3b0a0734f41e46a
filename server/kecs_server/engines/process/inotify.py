"""Linux's inotify: which files of a directory were written to."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

_MODIFY = 0x2
_OVERFLOW = 0x4000
_HEADER = struct.Struct("iIII")
_READ_SIZE = 1 << 16


class Inotify:
    """Wakes whoever selects on it.

    :raises OSError: the system has none, or no more of them.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("there is no inotify here")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._check(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._descriptor

    def add(self, directory: Path) -> int:
        """Returns the watch's number, which is never used again.

        :raises OSError: no such directory, or no more watches for this user.
        """
        path = os.fsencode(directory)
        return self._check(self._libc.inotify_add_watch(self._descriptor, path, _MODIFY))

    def remove(self, watch: int) -> None:
        self._libc.inotify_rm_watch(self._descriptor, watch)  # it may be gone with its directory

    def read(self) -> set[int] | None:
        """The watches in whose directories something was written since the last call; None: too
        much, so that any may be concerned.
        """
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return set()
        watches = set()
        position = 0
        while position < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, position)
            if mask & _OVERFLOW:
                return None
            watches.add(watch)
            position += _HEADER.size + length
        return watches

    def close(self) -> None:
        os.close(self._descriptor)

    def _check(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
