"""What a forked child of the supervisor does until it is a container's first process.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from kecs_server.engines.process.cgroups import enter
from kecs_server.engines.process.isolating import isolate
from kecs_server.engines.process.isolating import make_read_only
from kecs_server.engines.process.kernel import adopt_orphans
from kecs_server.engines.process.kernel import die_with
from kecs_server.engines.process.kernel import send_signal

LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def become_leader(
    streams: Streams, orders: int, report: int, parent: int, inherited: Inherited
) -> NoReturn:
    """Turn this forked child into a container's first process, as soon as it is told which."""
    step = "prepare"
    path = None
    try:
        detach(parent, inherited.signals)
        streams.take()
        launch = read_order(orders)
        path = launch["path"]
        if path is None or launch["init"]:
            close_others(report)
        step = "log"
        make_logs(launch["stdout"], launch["stderr"])
        if launch["cgroup"]:
            step = "cgroup"
            enter(launch["cgroup"])
        if launch["isolation"]:
            step = "network"
            isolate(launch["isolation"])
            step = "mount"
            for each in launch["isolation"]["read_only"]:
                make_read_only(each)
            die_with(parent)  # the kernel may forget that with the identity
        step = "chdir"
        os.chdir(launch["cwd"])
        set_limit(resource.RLIMIT_NOFILE, *inherited.open_files)
        for number, soft, hard in launch["ulimits"]:
            step = f"rlimit-{number}"
            set_limit(number, soft, hard)
        if launch["user"]:
            step = "user"
            uid, gid = launch["user"]
            become_user(uid, gid, parent)
            step = "access"
            if path is not None and not os.access(path, os.X_OK):
                raise PermissionError(errno.EACCES, path)
        step = "exec"
        if launch["init"]:
            fork_below_init(report)
        if path is None:
            idle(report)
        os.execve(path, launch["argv"], launch["env"])
    except OSError as error:
        if step == "exec":
            # As runc: by now the container counts as started (a script without interpreter line,
            # too long a list of arguments), so the code and the log tell.
            os.write(2, os.fsencode(f"exec {path}: {os.strerror(error.errno or 0).lower()}\n"))
            os._exit(255)
        os.write(report, f"{step} {error.errno}".encode())
    except ValueError:  # a NUL byte, a lone surrogate, a variable without a name
        os.write(report, f"{step} {errno.EINVAL}".encode())
    finally:
        os._exit(255)


class Inherited(NamedTuple):
    """What the supervisor has changed of its own, and a container gets as it was."""

    signals: Sequence[int]  # those whose disposition is not the default
    open_files: tuple[int, int]  # limits, soft and hard


class Streams(NamedTuple):
    """A container's ends of its standard streams; of a terminal all three are the same."""

    stdin: int
    stdout: int
    stderr: int

    def take(self) -> None:
        if os.isatty(self.stdin):
            os.login_tty(self.stdin)
        else:
            for number, fd in enumerate(self):
                os.dup2(fd, number)


def read_order(orders: int) -> dict[str, Any]:
    """What to execute; ends this process if it is wanted no more."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(orders, 1 << 16)
        if not data:
            os._exit(0)
        line += data
    order: dict[str, Any] = json.loads(line)
    return order


def detach(parent: int, signals: Sequence[int]) -> None:
    """Leave the supervisor's session, signals and life: what a container begins with."""
    signal.set_wakeup_fd(-1)
    for number in signals:
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    adopt_orphans()  # survives exec
    die_with(parent)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def set_limit(number: int, soft: int, hard: int) -> None:
    """:raises OSError: the hard limit is above what this process may set."""
    try:
        resource.setrlimit(number, (soft, hard))
    except ValueError as error:  # Python's name for two of the system's errors
        raise OSError(errno.EPERM if soft <= hard else errno.EINVAL, str(error)) from error


def become_user(uid: int, gid: int, parent: int) -> None:
    """Give up root for good. The streams become the user's, who may want to open /dev/stdout."""
    for fd in (1, 2):
        os.fchown(fd, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    die_with(parent)  # the kernel forgets that with the identity


def fork_below_init(report: int) -> None:
    """Return in a child; this process goes on as docker-init does: reaps whatever ends below it,
    hands signals on to the child, and ends when the child does, with its code.
    """
    init = os.getpid()
    # Blocked, a signal that comes before its handler is not lost.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    child = os.fork()
    if child == 0:
        die_with(init)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return
    for number in signal.valid_signals() - {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # two of them are the C library's own
            signal.signal(number, lambda number, _: send_signal(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    os.close(report)
    while True:
        dead, status = os.wait()
        if dead == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def idle(report: int) -> NoReturn:
    """Do nothing until a signal ends this process. Without exec nothing closes by itself."""
    os.close(report)
    while True:
        signal.pause()


def make_logs(stdout: str, stderr: str) -> None:
    """Make the files, which takes longer than all that the supervisor does to write to them. If
    both are one, so are the streams.
    """
    for path in {stdout, stderr}:
        os.close(os.open(path, LOG_FLAGS, 0o600))
    if stdout == stderr:
        os.dup2(1, 2)


def close_others(report: int) -> None:
    """Close all but the standard streams and `report`, before a limit hides what is open."""
    for fd in map(int, os.listdir("/dev/fd")):
        if fd > 2 and fd != report:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(fd)
