"""Drives an engine in tests: runs tasks and waits for what it observes, never by sleeping."""

from __future__ import annotations

import os
import queue
import select
import shutil
import sys
import textwrap
import time
import uuid
from pathlib import Path
from typing import Any
from typing import TypeVar

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.process.engine import ProcessEngine
from written import Written
from written import read_all

TIMEOUT = 30.0
T = TypeVar("T", bound=Observation)

# Leaves a process behind that has detached itself in every way, holds the FIFO open as long as it
# lives, and knows nothing of its environment. The leader then goes on as told.
DAEMON = """
import os, signal, sys
fifo, then = sys.argv[1:]
begin, begun = os.pipe(), os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.read(begin[0], 1)
        fd = os.open(fifo, os.O_WRONLY)
        os.set_inheritable(fd, True)
        os.write(fd, b"%d\\n" % os.getpid())
        os.write(begun[1], b"x")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execve("SLEEP", ["sleep", "1000"], {})
    os._exit(0)
os.wait()
os.write(begin[1], b"x")
os.read(begun[0], 1)
if then == "stay":
    signal.pause()
sys.exit(int(then))
""".replace("SLEEP", shutil.which("sleep") or "/bin/sleep")


class Fifo:
    """Tells when a process elsewhere has begun to hold it, and when it is dead."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read_line(self) -> str:
        self._wait(select.POLLIN)
        return os.read(self._fd, 4096).decode().strip()

    def wait_closed(self) -> None:
        self._wait(select.POLLHUP)

    def is_held(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, 0)
        return not poll.poll(0)

    def close(self) -> None:
        os.close(self._fd)

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._fd, event & select.POLLIN)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            for _, seen in poll.poll((deadline - time.monotonic()) * 1000):
                if seen & event:
                    return
        raise AssertionError(f"{self.path}: nothing happened within {TIMEOUT} s")


class Driver:
    def __init__(self, engine: ProcessEngine) -> None:
        self.engine = engine
        self.seen: list[Observation] = []
        self.queue: queue.Queue[Observation] = queue.Queue()

    def observe(self, observation: Observation) -> None:
        self.queue.put(observation)

    def provision(self, *containers: ContainerSpec, **task: Any) -> str:
        task_id = uuid.uuid4().hex
        self.engine.provision(
            TaskSpec(
                task_id=task_id, task_arn="arn", family="family", containers=containers, **task
            )
        )
        self.wait(Provisioned, task_id)
        return task_id

    def start(self, *command: str, task: Any = None, **fields: Any) -> str:
        """Run a task of one container, `app`, and return its id without waiting. `task` has what
        is set for the task as a whole.
        """
        task_id = self.provision(container(*command, **fields), **(task or {}))
        self.engine.start_container(task_id, "app")
        return task_id

    def run(self, *command: str, **fields: Any) -> ContainerStopped:
        return self.wait(ContainerStopped, self.start(*command, **fields))

    def wait(self, kind: type[T], task_id: str, container: str = "app") -> T:
        """The first observation of this kind of the task, and of the container if it has one."""
        deadline = time.monotonic() + TIMEOUT
        position = 0
        while True:
            for observation in self.seen[position:]:
                if matches(observation, kind, task_id, container):
                    assert isinstance(observation, kind)
                    return observation
            position = len(self.seen)
            try:
                self.seen.append(self.queue.get(timeout=max(deadline - time.monotonic(), 0)))
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} of {task_id}: {self.seen}") from None

    def of(self, task_id: str) -> list[str]:
        """The kinds of all that was observed of a task so far, in order."""
        while not self.queue.empty():
            self.seen.append(self.queue.get())
        return [type(o).__name__ for o in self.seen if o.task_id == task_id]

    def pid(self, task_id: str, container: str = "app") -> int:
        started = self.wait(ContainerStarted, task_id, container)
        return int(started.runtime_id.removeprefix(f"{task_id}-"))

    def output(self, *command: str, **fields: Any) -> str:
        """What a task of one container writes, which must succeed."""
        task_id = self.start(*command, **fields)
        stopped = self.wait(ContainerStopped, task_id)
        logs = self.logs(task_id, "app")
        assert (stopped.exit_code, stopped.reason) == (0, None), (stopped, logs)
        return logs.stdout.decode()

    def directory(self, task_id: str) -> Path:
        return self.engine._directory / task_id

    def remove(self, task_id: str) -> None:
        self.engine.remove(task_id)
        self.wait(Removed, task_id)

    def stdout(self, task_id: str, container: str = "app") -> bytes:
        return self.logs(task_id, container).stdout

    def logs(self, task_id: str, container: str = "app") -> Written:
        return read_all(self.engine.logs(task_id, container))

    def supervisor_pid(self) -> int:
        assert self.engine._running.link is not None
        return self.engine._running.link.process.pid


def matches(observation: Observation, kind: type[Observation], task_id: str, name: str) -> bool:
    return (
        isinstance(observation, kind)
        and observation.task_id == task_id
        and getattr(observation, "container", name) == name
    )


def container(*command: str, name: str = "app", **fields: Any) -> ContainerSpec:
    return ContainerSpec(name=name, image="image", command=command or None, **fields)


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", textwrap.dedent(code), *arguments)


def daemon(fifo: Fifo, *, then: str) -> tuple[str, ...]:
    """A command that leaves a daemon behind, and ends with the code `then`, or stays."""
    return python(DAEMON, fifo.path, then)
