"""The limit on open files. Each port that leads into a task or out of it is one of the server's,
which therefore raises its own limit; programs that it starts get the one that it had.

Part of the supervisor too, and as that: standard library only.
"""

from __future__ import annotations

import errno
import resource

SPARE = 128
"""Files that are kept for requests, and for connections to what tasks listen at."""

_MACOS = 10240
"""What macOS grants at most, whatever it says."""

_before: tuple[int, int] | None = None


def raise_limit() -> tuple[int, int]:
    """Have as many as the system grants; returns the limits as they were, soft and hard."""
    global _before
    before = inherited()
    for soft in (before[1], _MACOS):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
        except (OSError, ValueError):
            continue
        break
    _before = before
    return before


def inherited() -> tuple[int, int]:
    """The limits that this process has from who started it, soft and hard."""
    return _before or resource.getrlimit(resource.RLIMIT_NOFILE)


def check_spare(fd: int) -> None:
    """See whether what was just opened leaves `SPARE` others: a descriptor is the lowest that is
    free.

    :raises OSError: it does not.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and fd >= limit - SPARE:
        text = f"too many open files, of which the server may have {limit} (`ulimit -Hn`)"
        raise OSError(errno.EMFILE, text)
