"""Stopping, and what is left behind when a leader, the supervisor or the server ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from engine_driver import TIMEOUT
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import daemon
from engine_driver import python
from kecs_server import prune
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import TaskLost
from kecs_server.engines.kubernetes.kind import MARK
from kecs_server.engines.process import kernel
from kecs_server.prune import kill_leftovers
from kecs_server.prune import leftover_processes

IGNORES_TERM = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_WRONLY)
os.write(fd, b"ready\\n")
while True:
    signal.pause()
"""

HANDLES_TERM = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
fd = os.open(sys.argv[1], os.O_WRONLY)
os.write(fd, b"ready\\n")
while True:
    signal.pause()
"""

# A server in a process of its own: says the supervisor's pid when the container's daemon is up.
SERVER = """
import sys, threading
from pathlib import Path
from kecs_server.engines.base import ContainerSpec, ContainerStopped, TaskSpec
from kecs_server.engines.process.engine import ProcessEngine
name, directory, *command = sys.argv[1:]
engine = ProcessEngine(environment_name=name, directory=Path(directory),
                       interpreter=sys.executable, rootdir=directory)
engine.open(lambda observation: None, lambda phase: None)
spec = ContainerSpec(name="app", image="image", command=tuple(command))
engine.provision(TaskSpec(task_id="1" * 32, task_arn="", family="", containers=(spec,)))
engine.start_container("1" * 32, "app")
print(engine._running.link.process.pid, flush=True)
threading.Event().wait()
"""


def test_stop_lets_the_handler_say_the_code(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(HANDLES_TERM, fifo.path))
    fifo.read_line()
    driver.engine.stop_containers(task, ["app"])
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 9


def test_stop_right_after_start_is_not_lost(driver: Driver) -> None:
    for _ in range(20):
        task = driver.start("sleep", "1000")
        driver.engine.stop_containers(task, ["app"])
        assert driver.wait(ContainerStopped, task).exit_code == 143


def test_kill_after_each_ones_own_stop_timeout(driver: Driver, tmp_path: Path, fifo: Fifo) -> None:
    second = Fifo(tmp_path / "second")
    task = driver.provision(
        container(*python(IGNORES_TERM, fifo.path), name="short", stop_timeout=0.2),
        container(*python(IGNORES_TERM, second.path), name="long", stop_timeout=0.6),
        container("sleep", "1000", name="polite"),
    )
    for name in ("short", "long", "polite"):
        driver.engine.start_container(task, name)
    fifo.read_line()
    second.read_line()
    driver.pid(task, "polite")
    begin = time.monotonic()
    driver.engine.stop_containers(task, ["short", "long", "polite"])
    assert driver.wait(ContainerStopped, task, "polite").exit_code == 143
    assert driver.wait(ContainerStopped, task, "short").exit_code == 137
    after_short = time.monotonic() - begin
    assert driver.wait(ContainerStopped, task, "long").exit_code == 137
    after_long = time.monotonic() - begin
    assert 0.2 <= after_short < after_long
    assert 0.6 <= after_long < TIMEOUT
    second.close()


def test_stop_timeout_of_nothing(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(IGNORES_TERM, fifo.path), stop_timeout=0.0)
    fifo.read_line()
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 137


def test_remove_kills_at_once(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(IGNORES_TERM, fifo.path), stop_timeout=1000.0)
    fifo.read_line()
    driver.remove(task)
    assert driver.of(task)[-2:] == ["ContainerStopped", "Removed"]
    assert driver.wait(ContainerStopped, task).exit_code == 137
    fifo.wait_closed()


def test_stop_reaches_the_leader_only(driver: Driver, fifo: Fifo, tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[2], "w").close())
            os.write(os.open(sys.argv[1], os.O_WRONLY), b"ready")
            while True:
                signal.pause()
        signal.pause()
    """
    mark = tmp_path / "child-was-signalled"
    task = driver.start(*python(code, fifo.path, str(mark)))
    fifo.read_line()
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 5
    fifo.wait_closed()
    assert not mark.exists()


linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="subreapers exist on Linux only; see kernel.py"
)


@linux_only
def test_daemon_is_dead_when_the_stop_is_observed(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*daemon(fifo, then="6"))
    assert driver.wait(ContainerStopped, task).exit_code == 6
    assert not fifo.is_held()


@linux_only
def test_daemon_lives_as_long_as_its_leader(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*daemon(fifo, then="stay"))
    pid = int(fifo.read_line())
    other = driver.start("sleep", "1000")
    driver.pid(other)
    assert driver.run("true").exit_code == 0
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{driver.pid(task)}" in status  # as to PID 1 in a namespace
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143
    assert not fifo.is_held()
    driver.engine.stop_containers(other, ["app"])
    assert driver.wait(ContainerStopped, other).exit_code == 143


@linux_only
def test_a_tree_that_grows_while_it_is_killed(driver: Driver, fifo: Fifo) -> None:
    code = """
        import os, sys
        fd = os.open(sys.argv[1], os.O_WRONLY)
        for depth in range(5):
            if os.fork() == 0:
                os.setsid()
                for _ in range(3):
                    os.fork()
            else:
                break
        if depth == 4:
            while True:
                if os.fork() == 0:
                    os.setsid()
                    os._exit(0)
                os.wait()
        os._exit(0)
    """
    task = driver.start(*python(code, fifo.path))
    assert driver.wait(ContainerStopped, task).exit_code == 0
    fifo.wait_closed()


@linux_only
def test_killed_supervisor_loses_tasks_and_leaves_nothing(driver: Driver, fifo: Fifo) -> None:
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        task = driver.start(*daemon(fifo, then="stay"))
        pending = driver.provision(container("true"))
        over = driver.run("true").task_id
        fifo.read_line()
        driver.pid(task)
        os.kill(driver.supervisor_pid(), signal.SIGKILL)
        stopped = driver.wait(ContainerStopped, task)
        assert stopped.exit_code is None
        assert stopped.reason == "ContainerRuntimeError: supervisor ended unexpectedly"
        assert not fifo.is_held()
        assert driver.wait(TaskLost, task).reason == "supervisor ended unexpectedly"
        driver.wait(TaskLost, pending)
        assert driver.of(task)[-2:] == ["ContainerStopped", "TaskLost"]
        assert "TaskLost" not in driver.of(over)
        driver.engine.start_container(pending, "app")
        assert driver.wait(ContainerStopped, pending).exit_code is None
        assert driver.run("sh", "-c", "exit 2").exit_code == 2  # by a new supervisor
        driver.remove(task)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait(TIMEOUT)


@linux_only
def test_supervisor_killed_again_and_again(driver: Driver) -> None:
    for _ in range(5):
        tasks = [driver.start("sleep", "1000"), driver.start("sh", "-c", "sleep 1000 & sleep 1000")]
        os.kill(driver.supervisor_pid(), signal.SIGKILL)
        for task in tasks:
            driver.wait(ContainerStopped, task)
            driver.wait(TaskLost, task)


def test_terminated_supervisor_leaves_nothing(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*daemon(fifo, then="stay"))
    fifo.read_line()
    os.kill(driver.supervisor_pid(), signal.SIGTERM)
    driver.wait(TaskLost, task)
    assert not fifo.is_held()


@pytest.fixture
def server(
    no_leaks: None, environment_name: str, tmp_path: Path, fifo: Fifo
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [
            *(sys.executable, "-c", SERVER, environment_name, str(tmp_path)),
            *daemon(fifo, then="stay"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        yield process
        process.kill()


@linux_only
def test_killed_server_leaves_nothing(
    server: subprocess.Popen[str], fifo: Fifo, environment_name: str
) -> None:
    fifo.read_line()
    assert len(leftover_processes(environment_name)) >= 3  # supervisor, its spare, leader
    server.kill()
    fifo.wait_closed()
    assert server.stderr is not None
    assert server.stderr.read() == ""  # the supervisor, too, has closed it
    assert leftover_processes(environment_name) == []


@linux_only
def test_prune_finds_what_two_kills_left(
    server: subprocess.Popen[str], fifo: Fifo, environment_name: str, tmp_path: Path
) -> None:
    assert server.stdout is not None
    pid = int(fifo.read_line())
    supervisor_pid = int(server.stdout.readline())
    os.kill(supervisor_pid, signal.SIGSTOP)
    server.kill()
    server.wait(TIMEOUT)
    assert pid in leftover_processes(environment_name)  # by its ancestors, for it has no cookie
    assert supervisor_pid in kill_leftovers(environment_name)
    fifo.wait_closed()
    assert leftover_processes(environment_name) == []
    assert kill_leftovers(environment_name) == []


def test_remove_environment(
    environment_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / environment_name
    directory.mkdir()
    for file in (MARK, "kubeconfig"):
        (directory / file).touch()
    left = subprocess.Popen(
        ["sleep", "1000"], env={"KECS_ENVIRONMENT": environment_name, "PATH": os.environ["PATH"]}
    )
    kind = tmp_path / "bin" / "kind"
    kind.parent.mkdir()
    kind.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/called"\n')
    kind.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kind.parent}:{os.environ['PATH']}")
    done, failed = prune.remove_environment(directory, environment_name)
    left.wait(TIMEOUT)  # the code is unknown: prune has reaped it, being in this process
    assert not psutil.pid_exists(left.pid)
    assert not directory.exists()
    assert (tmp_path / "called").read_text().splitlines() == [
        *("delete", "cluster", "--name", environment_name),
        *("--kubeconfig", f"{directory}/kubeconfig"),
    ]
    assert failed == []
    assert done == [
        f"{environment_name}: killed 1 processes",
        f"{environment_name}: deleted its kind cluster",
        f"{environment_name}: removed {directory}",
    ]
    assert prune.remove_environment(directory, environment_name) == ([], [])


def test_remove_environment_without_kind(
    environment_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / MARK).touch()
    _, (text,) = prune.remove_environment(tmp_path, environment_name)
    assert "no `kind` in PATH" in text


@linux_only
def test_children_are_found_without_the_kernels_list(driver: Driver) -> None:
    pids = {driver.pid(driver.start("sleep", "1000")) for _ in range(3)}
    assert pids <= set(kernel.children_by_parent(driver.supervisor_pid()))
    assert driver.supervisor_pid() in kernel.children()
