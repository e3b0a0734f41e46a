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
from typing import Any
from typing import NoReturn

from kecs_server.engines.process.kernel import adopt_orphans
from kecs_server.engines.process.kernel import die_with
from kecs_server.engines.process.kernel import send_signal

LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def become_leader(
    streams: Streams, orders: int, report: int, parent: int, signals: list[int]
) -> NoReturn:
    """Turn this forked child into a container's first process, as soon as it is told which."""
    step = "prepare"
    path = None
    try:
        detach(parent, signals)
        streams.take()
        launch = read_order(orders)
        path = launch["path"]
        if streams.terminal is None:
            step = "log"
            os.dup2(os.open(launch["stdout"], LOG_FLAGS, 0o600), 1)
            os.dup2(os.open(launch["stderr"], LOG_FLAGS, 0o600), 2)
        step = "chdir"
        os.chdir(launch["cwd"])
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
            fork_below_init()
        if path is None:
            idle()
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


class Streams:
    """Where a container's standard streams come from: `terminal` is for all three, `stdin` for
    the first, while the others go to the log files that the order names.
    """

    def __init__(self, *, stdin: int | None = None, terminal: int | None = None) -> None:
        self.stdin = stdin
        self.terminal = terminal

    def take(self) -> None:
        if self.terminal is not None:
            os.login_tty(self.terminal)
        elif self.stdin is not None:
            os.dup2(self.stdin, 0)


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


def detach(parent: int, signals: list[int]) -> None:
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
    """Give up root for good. The logs become the user's, who may want to open /dev/stdout."""
    for fd in (1, 2):
        os.fchown(fd, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    die_with(parent)  # the kernel forgets that with the identity


def fork_below_init() -> None:
    """Return in a child; this process goes on as docker-init does: reaps whatever ends below it,
    hands signals on to the child, and ends when the child does, with its code.
    """
    init = os.getpid()
    child = os.fork()
    if child == 0:
        die_with(init)
        return
    for number in signal.valid_signals() - {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # two of them are the C library's own
            signal.signal(number, lambda number, _: send_signal(child, number))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    while True:
        dead, status = os.wait()
        if dead == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def idle() -> NoReturn:
    """Do nothing until a signal ends this process. Without exec nothing closes by itself."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    while True:
        signal.pause()
