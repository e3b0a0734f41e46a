"""Ending what a supervisor left when it was killed. Linux; elsewhere there is less to be had.

The server is a child subreaper, so the processes of a dead supervisor become its children. It may
have other children (kind, docker), which must not be touched. A child is a leftover if

- it is not in the server's session: every container began one, and none can join another; and
- its initial environment has this environment's cookie; or it has no cookie and is a leader that
  the supervisor had reported, or has another OOM score than the server (the supervisor raises its
  own by one and all that descends from it inherits that, whatever it does to its environment).

What a leftover leaves when it is killed comes to the server likewise, and has the same mark: so
looking is repeated until nothing is found.

Without subreapers (macOS) the process groups of the reported leaders are killed, no more.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Collection

from kecs_server.engines.process.launching import COOKIE

PATIENCE = 10.0  # seconds; only what cannot be killed takes longer
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37

log = logging.getLogger(__name__)


def set_subreaper(*, enabled: bool) -> bool:
    """Make this process inherit its descendants' orphans, or not; returns what it was before."""
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    before = ctypes.c_int(0)
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    prctl(PR_SET_CHILD_SUBREAPER, int(enabled))
    return bool(before.value)


def end_leftovers(environment_name: str, leaders: Collection[int]) -> None:
    """Kill and reap whatever a dead supervisor left; returns when nothing is left."""
    if sys.platform == "linux":
        adopted_end(environment_name, leaders)
    else:
        for pid in leaders:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def adopted_end(environment_name: str, leaders: Collection[int]) -> None:
    import psutil  # wanted in an emergency only

    me = psutil.Process()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [c for c in me.children() if is_leftover(c.pid, environment_name, leaders)]
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=max(deadline - time.monotonic(), 0.0))
    log.warning("what the supervisor left could not all be killed within %s seconds", PATIENCE)


def is_leftover(pid: int, environment_name: str, leaders: Collection[int]) -> bool:
    try:
        if os.getsid(pid) == os.getsid(0):
            return False
        cookie = read_cookie(pid)
        if cookie is not None:
            return cookie == environment_name
        return pid in leaders or oom_score(pid) != oom_score(os.getpid())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def read_cookie(pid: int) -> str | None:
    """The cookie that a process was started with; None: it has none, or does not show it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except (PermissionError, ProcessLookupError):
        # As ssh-agent, it has made itself undumpable; or it is dead and has yet to be reaped.
        return None
    prefix = f"{COOKIE}=".encode()
    return next((os.fsdecode(v[len(prefix) :]) for v in variables if v.startswith(prefix)), None)


def oom_score(pid: int) -> int:
    with open(f"/proc/{pid}/oom_score_adj") as file:
        return int(file.read())
