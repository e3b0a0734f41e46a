"""What containers write on its way to the log: all of it, by stream, whoever holds the pipes."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import python
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from written import Written

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SOFT = 100


@pytest.fixture
def few_files() -> Iterator[None]:
    """A low soft limit, below which the engine starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def names(driver: Driver) -> list[str]:
    """What the supervisor's descriptors are of."""
    folder = Path(f"/proc/{driver.supervisor_pid()}/fd")
    found = []
    for fd in folder.iterdir():
        try:
            found.append(os.readlink(fd))
        except FileNotFoundError:  # closed just now
            continue
    return found


def test_streams_are_opened_by_name(driver: Driver) -> None:
    script = "echo one >&2; echo a; echo two > /dev/stderr; echo b > /dev/stdout; echo three >&2"
    task = driver.start("sh", "-c", script)
    driver.wait(ContainerStopped, task)
    assert driver.logs(task) == Written(stdout=b"a\nb\n", stderr=b"one\ntwo\nthree\n")


def test_a_command_opens_its_streams_by_name(driver: Driver) -> None:
    task = driver.start("sleep", "1000")
    driver.pid(task)
    script = "echo one; echo two > /dev/stderr; echo three > /dev/stdout; echo four >&2"
    result = driver.engine.execute(task, "app", ["sh", "-c", script], 30.0).result(30)
    assert (result.exit_code, result.output) == (0, b"one\ntwo\nthree\nfour\n")


@pytest.mark.parametrize("fields", [{}, {"init": True}, {"interactive": True}])
def test_a_full_pipe_is_read_before_the_end_is_told(
    driver: Driver, fields: dict[str, bool]
) -> None:
    """What many write last thing, as much as a pipe holds."""
    code = """
        import os
        for fd in (1, 2):
            os.write(fd, b"%d" % fd * 65536)
    """
    tasks = [driver.start(*python(code), **fields) for _ in range(10)]
    for task in tasks:
        assert driver.wait(ContainerStopped, task).exit_code == 0
        assert driver.logs(task) == Written(stdout=b"1" * 65536, stderr=b"2" * 65536)


@linux_only
def test_what_is_left_in_a_pipe_that_was_made_larger(driver: Driver, fifo: Fifo) -> None:
    """The supervisor stands still until the container has ended."""
    code = """
        import fcntl, os, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
        with open(sys.argv[1], "w") as fifo:
            print("up", file=fifo, flush=True)
            signal.sigwait([signal.SIGUSR1])
            os.write(1, bytes(1 << 20))
    """
    task = driver.start(*python(code, fifo.path))
    fifo.read_line()
    pid = driver.pid(task)
    os.kill(driver.supervisor_pid(), signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGUSR1)
        fifo.wait_closed()
    finally:
        os.kill(driver.supervisor_pid(), signal.SIGCONT)
    assert driver.wait(ContainerStopped, task).exit_code == 0
    assert driver.stdout(task) == bytes(1 << 20)


def test_much_output_of_any_bytes(driver: Driver) -> None:
    code = """
        import sys
        piece = bytes(range(256)) * 4096
        for number in range(60):
            sys.stdout.buffer.write(piece)
            sys.stderr.buffer.write(b"%d\\n" % number)
    """
    task = driver.start(*python(code))
    assert driver.wait(ContainerStopped, task).exit_code == 0
    logs = driver.logs(task)
    expected = hashlib.sha256(bytes(range(256)) * 4096 * 60).digest()
    assert hashlib.sha256(logs.stdout).digest() == expected
    assert logs.stderr.split() == [b"%d" % number for number in range(60)]


def test_a_daemon_that_writes_when_its_container_ends(driver: Driver, fifo: Fifo) -> None:
    """It holds the pipes and is killed with the rest; what it wrote is there."""
    code = """
        import os, sys
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(1, b"daemon\\n")
                with open(sys.argv[1], "w") as fifo:
                    fifo.write("up\\n")
                    fifo.flush()
                    while True:
                        os.write(2, b"x" * 1000)
            os._exit(0)
        os.wait()
        os.read(0, 1)
    """
    task = driver.start(*python(code, fifo.path), interactive=True)
    fifo.read_line()
    os.kill(driver.pid(task), signal.SIGKILL)
    assert driver.wait(ContainerStopped, task).exit_code == 137
    fifo.wait_closed()
    logs = driver.logs(task)
    assert logs.stdout == b"daemon\n"
    assert set(logs.stderr) <= {ord("x")}


@linux_only
def test_somebody_else_who_holds_a_pipe(driver: Driver, fifo: Fifo) -> None:
    """Neither the end nor the supervisor waits for it, and nothing stays open."""
    task = driver.start("sh", "-c", f"echo one >&2; echo up > '{fifo.path}'; exec sleep 1000")
    fifo.read_line()
    pid = driver.pid(task)
    held = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY)
    pipe = os.readlink(f"/proc/self/fd/{held}")
    assert pipe in names(driver)
    try:
        os.write(held, b"from outside\n")
        os.kill(pid, signal.SIGKILL)
        assert driver.wait(ContainerStopped, task).exit_code == 137
        assert driver.logs(task) == Written(stderr=b"one\nfrom outside\n")
        assert pipe not in names(driver)
    finally:
        os.close(held)


@linux_only
def test_a_container_that_closes_its_streams(driver: Driver, fifo: Fifo) -> None:
    """The supervisor lets go of them, and the container goes on."""
    script = f"""
        readlink /proc/$$/fd/1
        readlink /proc/$$/fd/2
        exec >&- 2>&-
        echo closed > '{fifo.path}'
        exec sleep 1000
    """
    task = driver.start("sh", "-c", script)
    fifo.read_line()
    driver.run("true")  # the supervisor has looked meanwhile
    closed = driver.stdout(task).decode().split()
    assert len(closed) == 2
    assert not {*closed, str(driver.directory(task) / "app" / "stdout.log")} & {*names(driver)}
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


@linux_only
def test_logs_are_closed_at_the_end(driver: Driver, fifo: Fifo) -> None:
    script = f"echo one; echo up > '{fifo.path}'; exec sleep 1000"
    task = driver.start("sh", "-c", script)
    fifo.read_line()
    driver.run("true")  # the supervisor has looked meanwhile
    log = str(driver.directory(task) / "app" / "stdout.log")
    assert log in names(driver)
    os.kill(driver.pid(task), signal.SIGKILL)
    driver.wait(ContainerStopped, task)
    assert log not in names(driver)


def test_a_restart_appends(driver: Driver) -> None:
    task = driver.provision(container("sh", "-c", "echo one; echo two >&2", restarts=True))
    for times in (1, 2):
        driver.engine.start_container(task, "app")
        driver.seen.clear()
        driver.wait(ContainerStopped, task)
        assert driver.logs(task) == Written(stdout=b"one\n" * times, stderr=b"two\n" * times)


def test_who_writes_without_end_delays_nobody(driver: Driver) -> None:
    writers = [driver.start("yes") for _ in range(3)]
    for task in writers:
        driver.pid(task)
    for number in range(20):
        assert driver.run("sh", "-c", f"exit {number}").exit_code == number
    driver.engine.stop_containers(writers[0], ["app"])
    assert driver.wait(ContainerStopped, writers[0]).exit_code == 143


@linux_only
def test_more_containers_than_the_soft_limit_of_files(few_files: None, driver: Driver) -> None:
    """The supervisor has more files open than containers may have."""
    tasks = [driver.start("sleep", "1000") for _ in range(SOFT)]
    for task in tasks:
        driver.wait(ContainerStarted, task)
    assert len(names(driver)) > 2 * SOFT
    limits = driver.output("sh", "-c", "ulimit -Sn; ulimit -Hn").split()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert limits == [str(SOFT), "unlimited" if hard == resource.RLIM_INFINITY else str(hard)]
    idle = driver.pid(driver.start())
    assert sorted(os.listdir(f"/proc/{idle}/fd")) == ["0", "1", "2"]
