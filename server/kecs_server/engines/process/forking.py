"""The supervisor's side of a container's first process, and how it is forked.

Part of the supervisor, and as that: standard library only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from kecs_server.engines.process.leader import Inherited
from kecs_server.engines.process.leader import Streams
from kecs_server.engines.process.leader import become_leader
from kecs_server.engines.process.output import Output


class Leader:
    """First process of a container; the spare one as long as it has no key.

    `orders` is our end of the pipe on which it learns what to execute. `report` is the end of the
    one that closes when exec has succeeded; None from then on. `stdin` is the writing end of its
    standard input where that stays open, and `outputs` is where it writes: stdout and stderr, or
    its terminal.
    """

    def __init__(self, pid: int, orders: int, report: int, outputs: list[Output]) -> None:
        self.pid = pid
        self.orders = orders
        self.report: int | None = report
        self.stdin: int | None = None
        self.outputs = outputs
        self.key = ""
        self.failed = False
        self.stopping = False
        self.overdue = False
        self.code = 0

    def hand(self, line: bytes) -> None:
        """:raises BrokenPipeError: somebody has killed it; the descriptors are closed."""
        try:
            with open(self.orders, "wb") as pipe:
                pipe.write(line)
        except BrokenPipeError:
            self.close_report()
            self.close_streams()
            raise

    def close_streams(self) -> None:
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None
        for output in self.outputs:
            output.close()
        self.outputs = []

    def close_report(self) -> None:
        if self.report is not None:
            os.close(self.report)
            self.report = None


def fork_leader(
    null: int, inherited: Inherited, *, terminal: bool = False, interactive: bool = False
) -> Leader:
    """A child that waits for its order, with the streams that it will have as a container.

    :param null: what is read from as standard input, unless it is a terminal or interactive.
    :raises OSError: no process, terminal or file descriptor left.
    """
    ends: list[int] = []
    ours: set[int] = set()

    def pair(make: Callable[[], tuple[int, int]] = os.pipe) -> tuple[int, int]:
        made = make()
        ends.extend(made)
        return made

    parent = os.getpid()
    # Blocked, a SIGTERM that comes before the child has reset its handlers is not lost.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        report, report_writer = pair()
        orders, orders_writer = pair()
        stdin, stdin_writer = pair() if interactive else (null, None)
        if terminal:
            master, end = pair(os.openpty)
            sources, streams = [master], Streams(end, end, end)
        else:
            (stdout, stdout_writer), (stderr, stderr_writer) = pair(), pair()
            sources, streams = [stdout, stderr], Streams(stdin, stdout_writer, stderr_writer)
        pid = os.fork()
        if pid == 0:
            os.close(orders_writer)
            become_leader(streams, orders, report_writer, parent, inherited)
        ours = {report, orders_writer, *sources}
        leader = Leader(pid, orders_writer, report, [Output(source) for source in sources])
        if stdin_writer is not None:
            leader.stdin = stdin_writer
            ours.add(stdin_writer)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for fd in ends:
            if fd not in ours:
                os.close(fd)
    return leader
