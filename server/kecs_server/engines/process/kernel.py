"""What the supervisor asks of the system: who has ended, who is whose child, signals.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Container
from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, where the system has that."""
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have this process killed when its parent ends, where the system has that."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(255)  # it ended before it could be watched


def collect_dead(leaders: Container[int]) -> Iterator[tuple[int, int]]:
    """Reap whatever has ended: (pid, exit code). A leader's process group is killed first."""
    while True:
        try:
            if sys.platform == "linux":
                # The group is killed while the leader's number is still taken: in one step, so
                # that not even a process that forks without end gets away within its group.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None:
                    return
                if found.si_pid in leaders:
                    kill_group(found.si_pid)
                pid, status = os.waitpid(found.si_pid, 0)
            else:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                kill_group(pid)
        except ChildProcessError:
            return
        code = os.waitstatus_to_exitcode(status)
        yield pid, code if code >= 0 else 128 - code


def children() -> list[int]:
    """Every child of this process, dead or alive; those of the kernels that can tell."""
    if sys.platform != "linux":
        return []
    return children_of(os.getpid())


def children_of(parent: int) -> list[int]:
    """Linux. Every child of a process, dead or alive; none if it is gone."""
    folder = f"/proc/{parent}/task"
    try:
        # A folder's links are itself, its parent's and its folders': most processes have a thread.
        threads = [str(parent)] if os.stat(folder).st_nlink == 3 else os.listdir(folder)
        return [int(c) for thread in threads for c in read(f"{folder}/{thread}/children").split()]
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return []
        return children_by_parent(parent)  # a kernel without CONFIG_PROC_CHILDREN


def children_by_parent(parent: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            # What follows the program's name, which is in parentheses and may contain anything.
            if int(read(f"/proc/{name}/stat").rpartition(b")")[2].split()[1]) == parent:
                found.append(int(name))
    return found


def read(path: str) -> bytes:
    """A file of /proc; several times as fast as `open`."""
    fd = os.open(path, os.O_RDONLY)
    try:
        content = b""
        while data := os.read(fd, 1 << 16):
            content += data
        return content
    finally:
        os.close(fd)


def mark_descendants() -> None:
    """Raise our OOM score by one. Containers inherit it, whatever they do to their environment
    and session, which tells the server what is ours if we die (see `leftovers`).
    """
    # A sandbox may forbid it; there are the cookie and the known leaders still.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "r+") as file:
        mark = min(int(file.read()) + 1, 1000)
        file.seek(0)
        file.write(str(mark))


def handles(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal; True where the system does not tell."""
    try:
        status = read(f"/proc/{pid}/status")
    except OSError:
        return True
    caught = int(status.partition(b"SigCgt:")[2].split()[0], 16)
    return bool(caught >> (number - 1) & 1)


def send_signal(pid: int, number: int) -> None:
    # It may have ended already, or taken another user's identity.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if sys.platform == "linux":
    prctl = ctypes.CDLL(None, use_errno=True).prctl
