"""How far this machine's clock may be from the true time, as its kernel says (ecs-facts 17.4)."""

from __future__ import annotations

import ctypes
import struct
import time
from typing import Any

Structure = dict[str, Any]

_NOT_SYNCHRONIZED = 0x40
"""STA_UNSYNC among the status flags of <sys/timex.h>."""

_TIMEX = struct.Struct("@Ixxxxlllli")
"""How `struct timex` begins: modes, offset, freq, maxerror (microseconds), esterror, status."""

_TIMEX_SIZE = 512
"""Bytes that surely hold all of it."""


def clock_drift() -> Structure:
    """The member ClockDrift: the bound in milliseconds, and when that was true, if the kernel says
    that the clock is kept in step with a reference.
    """
    bound = _error_bound()
    if bound is None:
        return {"ClockSynchronizationStatus": "NOT_SYNCHRONIZED"}
    return {
        "ClockErrorBound": bound * 1000,
        "ReferenceTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "ClockSynchronizationStatus": "SYNCHRONIZED",
    }


def _error_bound() -> float | None:
    """Seconds; None: nobody keeps the clock in step, or nobody knows."""
    library = ctypes.CDLL(None)
    adjust = getattr(library, "adjtimex", None) or getattr(library, "ntp_adjtime", None)
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)  # modes 0: only look
    if adjust is None or adjust(timex) == -1:
        return None
    *_, max_error, _, status = _TIMEX.unpack_from(timex)
    return None if status & _NOT_SYNCHRONIZED else max_error / 1e6
