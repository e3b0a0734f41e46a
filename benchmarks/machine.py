"""What the machine is, in general terms, and whether it was left alone."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import psutil

_SPINS = 40
_SPIN_STEPS = 20_000
_BUSY_SHARE = 0.05
_SWAYING = 1.25


def description() -> dict[str, Any]:
    """Nothing in it names the machine or its user."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
    }


@dataclass(slots=True)
class Quiet:
    """Looks, between the measurements, whether other programs take the processors.

    A fixed piece of work is timed by the wall clock and by the process's own processor time. Where
    the first is longer, something else ran; where the pieces differ, the processor's speed does.
    """

    _wall: list[float] = field(default_factory=list)
    _own: list[float] = field(default_factory=list)

    def look(self) -> None:
        for _ in range(_SPINS):
            wall, own = time.perf_counter(), time.process_time()
            _spin()
            self._own.append(time.process_time() - own)
            self._wall.append(time.perf_counter() - wall)

    def report(self) -> dict[str, Any]:
        """`taken`: share of the time that others had; `sway`: 90th to 10th percentile of the work's
        time; `noisy`: whether the figures suffer from either.
        """
        ordered = sorted(self._wall)
        sway = ordered[len(ordered) * 9 // 10] / ordered[len(ordered) // 10]
        taken = max(0.0, 1 - sum(self._own) / sum(self._wall))
        return {
            "taken": round(taken, 3),
            "sway": round(sway, 2),
            "noisy": taken > _BUSY_SHARE or sway > _SWAYING,
        }


def _spin() -> int:
    total = 0
    for step in range(_SPIN_STEPS):
        total += step
    return total
