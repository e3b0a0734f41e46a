"""Memory limits: what is counted, who is killed, and what looking costs."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from engine_driver import TIMEOUT
from engine_driver import Driver
from engine_driver import Fifo
from engine_driver import container
from engine_driver import python
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.process import memory
from kecs_server.engines.process.memory import MIB
from kecs_server.engines.process.memory import Group
from kecs_server.engines.process.memory import MemoryWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")

OUT_OF_MEMORY = (137, "OutOfMemoryError: Container killed due to memory usage")

TAKE = """
import os, signal, sys
fifo, size = sys.argv[1:]
fd = os.open(fifo, os.O_WRONLY)
block = bytearray(int(size) << 20)
block[::4096] = b"x" * len(block[::4096])
os.write(fd, b"%d\\n" % os.getpid())
signal.pause()
"""

SHARE = """
import os, signal, sys
fifo, size, forks = sys.argv[1:]
block = bytearray(int(size) << 20)
block[::4096] = b"x" * len(block[::4096])
for _ in range(int(forks)):
    if os.fork() == 0:
        signal.pause()
os.write(os.open(fifo, os.O_WRONLY), b"%d\\n" % os.getpid())
signal.pause()
"""


def test_above_its_limit(driver: Driver, fifo: Fifo) -> None:
    stopped = driver.run(*python(TAKE, fifo.path, "100"), memory=64)
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY


def test_below_its_limit(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(TAKE, fifo.path, "30"), memory=64)
    fifo.read_line()
    looked(driver)
    driver.engine.stop_containers(task, ["app"])
    stopped = driver.wait(ContainerStopped, task)
    assert (stopped.exit_code, stopped.reason) == (143, None)


def test_a_reservation_is_no_limit(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(TAKE, fifo.path, "100"), memory_reservation=64)
    fifo.read_line()
    assert driver.engine._running.limits._watch._thread is None
    driver.remove(task)


def test_all_that_descends_from_it_counts_and_dies(driver: Driver, fifo: Fifo) -> None:
    """A process that has left session and parent, started by a thread of the first process."""
    code = """
        import os, signal, subprocess, sys, threading
        threading.Thread(target=lambda: subprocess.run(
            [sys.executable, "-I", "-S", "-c", *sys.argv[1:]], start_new_session=True)).start()
        signal.pause()
    """
    task = driver.start(*python(code, TAKE, fifo.path, "100"), memory=80)
    stopped = driver.wait(ContainerStopped, task)
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY
    assert not fifo.is_held()


def test_what_processes_share_counts_once(driver: Driver, fifo: Fifo) -> None:
    task = driver.start(*python(SHARE, fifo.path, "40", "8"), memory=100)
    leader = int(fifo.read_line())
    tree = memory.tree_of([leader])
    assert len(tree) == 9
    assert sum(map(memory.resident_of, tree)) > 300 * MIB
    assert 40 * MIB < sum(map(memory.used_by, tree)) < 70 * MIB
    looked(driver)
    driver.engine.stop_containers(task, ["app"])
    stopped = driver.wait(ContainerStopped, task)
    assert (stopped.exit_code, stopped.reason) == (143, None)


def test_pages_of_files_do_not_count(driver: Driver, tmp_path: object, fifo: Fifo) -> None:
    """They can be taken back; a cgroup does not kill for them."""
    code = """
        import mmap, os, signal, sys
        with open("file", "wb") as file:
            file.write(bytes(100 << 20))
        with open("file", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        sum(view[::4096])
        os.write(os.open(sys.argv[1], os.O_WRONLY), b"x")
        signal.pause()
    """
    task = driver.start(*python(code, fifo.path), memory=64)
    fifo.read_line()
    assert memory.resident_of(driver.pid(task)) > 64 * MIB
    looked(driver)
    driver.engine.stop_containers(task, ["app"])
    assert driver.wait(ContainerStopped, task).exit_code == 143


def test_above_the_limit_of_the_task_the_largest_is_killed(driver: Driver, fifo: Fifo) -> None:
    task = driver.provision(
        container(*python(TAKE, fifo.path, "30"), name="small"),
        container(*python(TAKE, fifo.path, "60"), name="large", memory=1000),
        memory=80,
    )
    for name in ("small", "large"):
        driver.engine.start_container(task, name)
    stopped = driver.wait(ContainerStopped, task, "large")
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY
    driver.engine.stop_containers(task, ["small"])
    assert driver.wait(ContainerStopped, task, "small").reason is None


def test_commands_in_the_container_count(driver: Driver, fifo: Fifo) -> None:
    task = driver.start("sleep", "1000", memory=64)
    driver.pid(task)
    command = python(TAKE, fifo.path, "100")
    assert driver.engine.execute(task, "app", command, 100.0).result(30).exit_code == 137
    stopped = driver.wait(ContainerStopped, task)
    assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY


def test_a_container_that_starts_again_has_the_same_limit(driver: Driver, fifo: Fifo) -> None:
    spec = container(*python(TAKE, fifo.path, "100"), memory=64, restarts=True)
    task = driver.provision(spec)
    for _ in range(2):
        driver.engine.start_container(task, "app")
        stopped = driver.wait(ContainerStopped, task)
        assert (stopped.exit_code, stopped.reason) == OUT_OF_MEMORY
        driver.seen.clear()


def test_another_end_is_told_as_it_was(driver: Driver) -> None:
    stopped = driver.run("sh", "-c", "kill -KILL $$", memory=64)
    assert (stopped.exit_code, stopped.reason) == (137, None)


@pytest.fixture
def watch() -> Iterator[MemoryWatch]:
    watch = MemoryWatch(lambda key: None)
    yield watch
    watch.close()


def test_without_limits_nobody_looks(watch: MemoryWatch) -> None:
    watch.add("task", "task/app", os.getpid(), limit=None, task_limit=None)
    assert watch._thread is None


def test_when_nothing_is_left_it_sleeps(watch: MemoryWatch) -> None:
    watch.add("task", "task/app", os.getpid(), limit=10_000, task_limit=None)
    watch.add("task", "task/app", os.getppid(), limit=10_000, task_limit=None)
    watch.drop("task", "task/app", os.getppid())
    watch.drop("task", "task/app", os.getpid())
    watch.drop("task", "task/app", os.getpid())
    deadline = time.monotonic() + TIMEOUT
    while watch._wakes_at != float("inf"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert watch._groups == {}


def test_excess_is_told_with_the_key() -> None:
    told: list[str] = []
    came = threading.Event()

    def tell(key: str) -> None:
        told.append(key)
        came.set()

    watch = MemoryWatch(tell)
    watch.add("task", "task/app", os.getpid(), limit=1, task_limit=None)
    assert came.wait(TIMEOUT)
    watch.close()
    assert set(told) == {"task/app"}


def test_looking_takes_a_small_part_of_a_processor(
    watch: MemoryWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever one look takes: the intervals grow so that all of them together stay cheap."""
    took, looks = 0.002, queue.SimpleQueue[tuple[float, float]]()

    def look(group: Group, members: object) -> None:
        begin, until = time.monotonic(), time.thread_time() + took
        while time.thread_time() < until:
            pass
        group.due = time.monotonic()  # at once, if it were free
        looks.put((begin, group.due))

    monkeypatch.setattr(memory, "look_at", look)
    watch.add("task", "task/app", os.getpid(), limit=10_000, task_limit=None)
    times = [looks.get(timeout=TIMEOUT) for _ in range(4)]
    pauses = [begin - ended for (_, ended), (begin, _) in pairwise(times)]
    assert min(pauses) >= took / memory.SHARE


def test_gone_processes_are_nothing() -> None:
    pid = os.spawnlp(os.P_WAIT, "true", "true") or 2**22 + 1
    assert memory.tree_of([pid]) == [pid]
    assert memory.resident_of(pid) == memory.used_by(pid) == 0


def looked(driver: Driver) -> None:
    """Wait until the watch has looked at every task once more, twice."""
    groups = list(driver.engine._running.limits._watch._groups.values())
    assert groups
    for _ in range(2):
        due = [group.due for group in groups]
        deadline = time.monotonic() + TIMEOUT
        while any(group.due == was for group, was in zip(groups, due, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
