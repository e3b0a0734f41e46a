"""What this machine has, for containers that run on it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from kecs_server.domain.instance import Host

MIB = 1024 * 1024
CPU_UNITS = 1024
"""Of one vCPU."""

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""What a container that all of this runs in may use."""


@cache
def this_machine() -> Host:
    return Host(cpu=_processors() * CPU_UNITS, memory=_memory() // MIB, gpus=_gpus())


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _memory() -> int:
    """Bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *filter(None, map(_limit, _LIMITS))])


def _limit(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _gpus() -> tuple[str, ...]:
    """The NVIDIA devices."""
    numbers = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(f"gpu-{number}" for number in sorted(numbers))
