"""What a process and all that descends from it use at this moment."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from kecs_server.engines.base import Usage

NANOSECONDS = 1_000_000_000
BLOCK = 512
"""Bytes of a unit of `st_blocks`."""


def storage_of(directory: Path) -> int:
    """Bytes on disk of all below, links not followed. What changes meanwhile may be missed."""
    blocks = 0
    for folder, _, files in os.walk(directory):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            with contextlib.suppress(OSError):
                blocks += os.lstat(path).st_blocks
    return blocks * BLOCK


def usage_of(leader: int) -> Usage | None:
    """:returns: None if the leader is gone. Time of descendants that have ended and were waited
    for is counted; memory is the resident set, so pages that processes share count several times.
    """
    import psutil  # not before somebody asks: a server without it starts sooner

    seconds, memory, count = 0.0, 0, 0
    try:
        processes = [process := psutil.Process(leader), *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times = process.cpu_times()
            seconds += times.user + times.system
            seconds += times.children_user + times.children_system
            memory += process.memory_info().rss
            count += 1
    return Usage(
        read_at=time.time(),
        cpu_nanoseconds=int(seconds * NANOSECONDS),
        system_cpu_nanoseconds=int(sum(psutil.cpu_times()) * NANOSECONDS),
        online_cpus=os.cpu_count() or 1,
        memory=memory,
        processes=count,
    )
