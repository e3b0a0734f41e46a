"""Starts, signals and reaps containers for one server, in a small process of its own.

Run by `link.BOOT`; the control descriptor is one end of a stream socket pair. One JSON object a
line, both ways:

    server: {"do": "start", "key", and the members of `launching.Launch`}
            {"do": "stop", "keys": [[key, seconds until SIGKILL], ...], "pid1": bool}
            {"do": "kill", "keys": [key, ...]}
    here:   {"event": "ready"}
            {"event": "started", "key", "pid"}         exec has succeeded
            {"event": "failed", "key", "step", "errno"} the program never ran; no "exited" follows
            {"event": "exited", "key", "code", "overdue"}  128 + N after signal N

A container is its first process, the leader, and all that descends from it. `limit` is the number
of seconds after which it is killed as overdue, null for never. As in a PID namespace, a
container's daemonised processes become children of its leader (a child subreaper), and when the
leader ends, the rest gets SIGKILL, however it has detached itself. "exited" is sent exactly once,
when nothing of the container is left, or `LINGER` seconds after the leader's end if something
cannot be killed.

End of file on the control descriptor means that the server is gone: all containers are killed,
then this process removes their cgroups, if they had any, and ends. SIGTERM, SIGINT and SIGHUP do
the same.

Subreapers and parent-death signals exist on Linux only. Elsewhere (macOS) the leader's process
group is killed, which is the best that can be had: a process that has left its group survives.

Standard library only, and little of it: start-up time and the size of what is forked count.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import heapq
import json
import os
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any

from kecs_server.engines.open_files import inherited
from kecs_server.engines.open_files import raise_limit
from kecs_server.engines.process.cgroups import VARIABLE
from kecs_server.engines.process.cgroups import remove_tree
from kecs_server.engines.process.forking import Leader
from kecs_server.engines.process.forking import fork_leader
from kecs_server.engines.process.kernel import adopt_orphans
from kecs_server.engines.process.kernel import children
from kecs_server.engines.process.kernel import collect_dead
from kecs_server.engines.process.kernel import handles
from kecs_server.engines.process.kernel import mark_descendants
from kecs_server.engines.process.kernel import send_signal
from kecs_server.engines.process.leader import Inherited
from kecs_server.engines.process.output import Output

LINGER = 5.0  # seconds that an exit may wait for what cannot be killed
STARTS_AT_ONCE = 64  # each holds a file descriptor until exec has succeeded
LONGEST_SELECT = 3600.0  # seconds; epoll's timeout is limited


class Supervisor:
    def __init__(self, control: int) -> None:
        self._control = control
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._leaders: dict[int, Leader] = {}
        self._by_key: dict[str, Leader] = {}
        self._starting = 0
        self._spare: Leader | None = None
        self._inherited = Inherited([], inherited())
        self._orphans: dict[int, set[str]] = {}  # pid -> containers that it may belong to
        self._exits: dict[str, Leader] = {}  # whose ends are not sent yet
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._end_asked = False
        self._ending = False
        self._gave_up = False
        self._selector = selectors.DefaultSelector()
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._wake_reader, self._wake_writer = os.pipe()

    def run(self) -> int:
        """Serve until the end; returns the exit code: 0, or 1 if something could not be killed."""
        self._prepare()
        self._send({"event": "ready"})
        while not (self._ending and not self._leaders and not self._orphans):
            for key, ready in self._selector.select(self._next_timeout()):
                key.data(ready)
            self._run_timers()
            if self._end_asked and not self._ending:
                self._end()
        return int(self._gave_up)

    def _prepare(self) -> None:
        adopt_orphans()
        mark_descendants()
        os.umask(0o022)
        for fd in (self._control, self._wake_reader, self._wake_writer):
            os.set_blocking(fd, False)
        os.set_inheritable(self._control, False)  # noqa: FBT003
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_end)
        self._selector.register(self._control, selectors.EVENT_READ, self._on_control)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._on_signal)
        default = (signal.SIG_DFL, None)
        changed = [n for n in signal.valid_signals() if signal.getsignal(n) not in default]
        self._inherited = Inherited(changed, raise_limit())
        gc.collect()
        gc.freeze()  # leaves the pages shared after fork
        self._spare = self._fork()

    def _ask_end(self, *_: object) -> None:
        self._end_asked = True

    def _on_control(self, ready: int) -> None:
        if ready & selectors.EVENT_WRITE:
            self._flush()
        if ready & selectors.EVENT_READ:
            try:
                data = os.read(self._control, 1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._end_asked = True
                return
            self._incoming += data
            self._obey()

    def _obey(self) -> None:
        """Carry out the complete lines; the rest waits while many starts are under way."""
        begin = 0
        while self._starting < STARTS_AT_ONCE and not self._ending:
            end = self._incoming.find(b"\n", begin)
            if end < 0:
                break
            line = bytes(self._incoming[begin : end + 1])
            begin = end + 1
            command = json.loads(line)
            getattr(self, f"_do_{command.pop('do')}")(line=line, **command)
        del self._incoming[:begin]

    def _send(self, event: dict[str, Any]) -> None:
        self._outgoing += json.dumps(event).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        if self._ending:
            return
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._control, self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._end_asked = True
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        if self._selector.get_key(self._control).events != wanted:
            self._selector.modify(self._control, wanted, self._on_control)

    def _do_start(self, line: bytes, key: str, limit: float | None = None, **more: Any) -> None:
        """Hand the line to the spare process, which is forked already: forking takes longer than
        all the rest. The next one is forked when this one has executed.
        """
        try:
            if more["terminal"]:
                leader = self._fork(terminal=True)
            elif more["interactive"]:
                leader = self._fork(interactive=True)
            else:
                leader = self._spare or self._fork()
                self._spare = None
            leader.hand(line)
        except OSError as error:
            self._send({"event": "failed", "key": key, "step": "fork", "errno": error.errno})
            return
        leader.key = key
        self._leaders[leader.pid] = self._by_key[key] = leader
        self._starting += 1
        if limit is not None:
            self._after(limit, lambda: self._end_overdue(leader))
        for output, log in zip(leader.outputs, (more["stdout"], more["stderr"]), strict=False):
            output.log = log
        assert leader.report is not None
        self._selector.register(
            leader.report, selectors.EVENT_READ, lambda _: self._on_report(leader)
        )

    def _fork(self, *, terminal: bool = False, interactive: bool = False) -> Leader:
        """:raises OSError: no process, terminal or file descriptor left."""
        return fork_leader(self._null, self._inherited, terminal=terminal, interactive=interactive)

    def _drop_spare(self) -> None:
        """Let the spare process read end of file, at which it ends."""
        if self._spare:
            os.close(self._spare.orders)
            self._spare.close_report()
            self._spare.close_streams()
            self._spare = None

    def _do_stop(self, keys: list[tuple[str, float]], *, pid1: bool, **_: Any) -> None:
        for key, seconds in keys:
            leader = self._by_key.get(key)
            if leader is None or leader.stopping:
                continue
            leader.stopping = True
            if not pid1 or handles(leader.pid, signal.SIGTERM):
                send_signal(leader.pid, signal.SIGTERM)
            self._after(seconds, functools.partial(self._kill, leader))

    def _do_kill(self, keys: list[str], **_: Any) -> None:
        for key in keys:
            if key in self._by_key:
                self._kill(self._by_key[key])

    def _end_overdue(self, leader: Leader) -> None:
        if leader.pid in self._leaders and self._leaders[leader.pid] is leader:
            leader.overdue = True
            self._kill(leader)

    def _kill(self, leader: Leader) -> None:
        # Until it is reaped, which only we do, the number cannot stand for another process.
        if leader.pid in self._leaders:
            send_signal(leader.pid, signal.SIGKILL)

    def _end(self) -> None:
        """Kill all; `run` returns when nothing is left, or what is left cannot be killed."""
        self._ending = True
        self._selector.unregister(self._control)
        for leader in self._leaders.values():
            self._kill(leader)
        self._drop_spare()
        self._kill_orphans(set())
        self._after(LINGER, self._give_up)

    def _give_up(self) -> None:
        self._gave_up = True
        self._leaders.clear()
        self._orphans.clear()

    def _on_report(self, leader: Leader) -> None:
        self._settle(leader)
        self._follow(leader)
        self._obey()
        # Not at once: forking would compete with the program that has just begun.
        self._after(0.005, self._fork_spare)

    def _follow(self, leader: Leader) -> None:
        for output in leader.outputs:
            action = functools.partial(self._on_output, leader, output)
            self._selector.register(output.source, selectors.EVENT_READ, action)

    def _on_output(self, leader: Leader, output: Output, _: int) -> None:
        """One piece for each turn, so that nobody's start or end waits for who writes much."""
        if output in leader.outputs and output.copy() is None:
            self._selector.unregister(output.source)
            leader.outputs.remove(output)
            output.close()

    def _close_streams(self, leader: Leader) -> None:
        for output in leader.outputs:
            output.drain()
            if output.source in self._selector.get_map():
                self._selector.unregister(output.source)
        leader.close_streams()

    def _fork_spare(self) -> None:
        if self._spare is None and not self._ending:
            with contextlib.suppress(OSError):  # Without a spare the next start forks.
                self._spare = self._fork()

    def _settle(self, leader: Leader) -> None:
        """Exec has succeeded when the pipe closes without a word."""
        if leader.report is None:
            return
        report = os.read(leader.report, 100)
        self._selector.unregister(leader.report)
        leader.close_report()
        self._starting -= 1
        if report:
            leader.failed = True
            step, number = report.decode().split()
            self._send({"event": "failed", "key": leader.key, "step": step, "errno": int(number)})
        else:
            self._send({"event": "started", "key": leader.key, "pid": leader.pid})

    def _on_signal(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 1 << 16)
        self._reap()

    def _reap(self) -> None:
        """Collect the dead, kill what they left behind, and send the exits that are complete.

        An orphan belongs to one of the containers whose members were reaped just before.
        """
        while True:
            suspects: set[str] = set()
            some_died = False
            for pid, code in collect_dead(self._leaders):
                some_died = True
                suspects |= self._bury(pid, code)
            if not some_died:
                break
            self._kill_orphans(suspects)
        waiting = set().union(*self._orphans.values())
        for key in [key for key in self._exits if key not in waiting]:
            self._send_exit(key)
        self._obey()

    def _kill_orphans(self, suspects: set[str]) -> None:
        for pid in children():
            spare = self._spare is not None and self._spare.pid == pid
            if not spare and pid not in self._leaders and pid not in self._orphans:
                send_signal(pid, signal.SIGKILL)
                self._orphans[pid] = suspects

    def _bury(self, pid: int, code: int) -> set[str]:
        leader = self._leaders.get(pid)
        if leader is None:
            if self._spare and self._spare.pid == pid:
                self._drop_spare()
            return self._orphans.pop(pid, set())
        self._settle(leader)
        del self._leaders[pid]
        del self._by_key[leader.key]
        if leader.failed:
            self._close_streams(leader)
            return set()
        leader.code = code
        self._exits[leader.key] = leader
        self._after(LINGER, lambda: self._send_exit(leader.key))
        return {leader.key}

    def _send_exit(self, key: str) -> None:
        leader = self._exits.pop(key, None)
        if leader is not None:
            self._close_streams(leader)
            event = {"event": "exited", "key": key, "code": leader.code}
            self._send({**event, "overdue": leader.overdue})

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._timer_count, action))

    def _next_timeout(self) -> float | None:
        if not self._timers:
            return None
        return min(max(self._timers[0][0] - time.monotonic(), 0.0), LONGEST_SELECT)

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()


def main(control: int) -> int:
    code = Supervisor(control).run()
    if VARIABLE in os.environ:
        remove_tree(os.environ[VARIABLE])
    return code
