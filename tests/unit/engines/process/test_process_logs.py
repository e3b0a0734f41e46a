"""Log files of the process engine: watched while containers run, below their cap."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest
from engine_driver import TIMEOUT
from engine_driver import Driver
from engine_driver import python
from kecs_server.engines import logfile
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogEntry
from kecs_server.engines.process import logwatch
from kecs_server.engines.process.inotify import Inotify
from kecs_server.engines.process.logwatch import LogWatch


class Reader:
    """Reads a log as it grows."""

    def __init__(self, log: ContainerLog) -> None:
        self._log = log
        self._told = threading.Event()
        self._cursor = (0, 0)
        self.entries: list[LogEntry] = []

    def wait(self, data: bytes) -> LogEntry:
        """The line that is this, when it has come."""
        with self._log.listening(self._told.set):
            while True:
                self._told.clear()
                chunk = self._log.read(self._cursor, whole_lines=True)
                self.entries += chunk.entries
                self._cursor = chunk.cursor
                for entry in self.entries:
                    if entry.data == data:
                        return entry
                assert self._told.wait(TIMEOUT), self.entries


WRITES = """
    import os, sys, time
    os.write(1, b"begin\\n")
    time.sleep(0.3)
    os.write(2, b"middle\\n")
    time.sleep(0.3)
    os.write(1, b"end\\n")
    sys.stdin.read()
    time.sleep(1000)
"""


@pytest.mark.parametrize("way", ["watched", "polled"])
def test_lines_come_as_they_are_written_with_their_times(
    driver: Driver, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "polled":

        def refuse(self: Inotify, directory: Path) -> int:
            raise OSError("no more watches")

        monkeypatch.setattr(Inotify, "add", refuse)
    task = driver.start(*python(WRITES))
    log = driver.engine.logs(task, "app")
    begin, middle, end = (Reader(log).wait(line) for line in (b"begin\n", b"middle\n", b"end\n"))
    assert (begin.stream, middle.stream, end.stream) == ("stdout", "stderr", "stdout")
    assert 0.2 < middle.time - begin.time < 2
    assert 0.2 < end.time - middle.time < 2
    assert abs(end.time - time.time()) < 2
    assert not log.read().ended


def test_times_are_noted_while_nobody_reads(driver: Driver) -> None:
    task = driver.start("sh", "-c", "echo one; sleep 0.5; echo two")
    driver.wait(ContainerStopped, task)
    one, two = driver.engine.logs(task, "app").read().entries
    assert 0.4 < two.time - one.time < 2


def test_a_system_without_inotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Inotify) -> None:
        raise OSError("no more of them")

    monkeypatch.setattr(Inotify, "__init__", refuse)
    log = ContainerLog(tmp_path)
    watch = LogWatch()
    try:
        log.begin()
        watch.watch(log, tmp_path)
        (tmp_path / "stdout.log").write_bytes(b"one\n")
        assert Reader(log).wait(b"one\n").stream == "stdout"
    finally:
        watch.close()
        watch.close()


def watches() -> int:
    """How many inotify watches this process has."""
    found = 0
    for descriptor in os.listdir("/proc/self/fdinfo"):
        try:
            found += Path("/proc/self/fdinfo", descriptor).read_text().count("inotify wd:")
        except OSError:
            continue
    return found


def test_each_running_container_has_one_watch(driver: Driver) -> None:
    tasks = [driver.start("sleep", "1000") for _ in range(3)]
    for task in tasks:
        driver.pid(task)
    assert watches() == 3
    driver.engine.stop_containers(tasks[0], ["app"])
    driver.wait(ContainerStopped, tasks[0])
    driver.remove(tasks[1])
    assert watches() == 1


def test_events_that_were_too_many_concern_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inotify, "read", lambda _: None)
    logs = [ContainerLog(tmp_path / name) for name in ("a", "b")]
    watch = LogWatch()
    try:
        for name, log in zip(("a", "b"), logs, strict=True):
            (tmp_path / name).mkdir()
            log.begin()
            watch.watch(log, tmp_path / name)
        for name in ("a", "b"):
            (tmp_path / name / "stdout.log").write_bytes(b"one\n")
        for log in logs:
            Reader(log).wait(b"one\n")
    finally:
        watch.close()


def test_a_log_is_kept_below_its_cap_while_it_is_written(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "CAP", 1 << 20)
    code = """
        for number in range(400_000):
            print(number)
    """
    task = driver.start(*python(code))
    driver.wait(ContainerStopped, task)
    path = driver.engine._directory / task / "app" / "stdout.log"
    assert path.stat().st_size > 2 << 20
    assert path.stat().st_blocks * 512 < (1 << 20) + (64 << 10)
    first, *lines = driver.stdout(task).splitlines()
    assert re.fullmatch(rb"\[kecs: \d+ bytes of this log are gone; 1048576 are kept\]", first)
    assert [int(line) for line in lines] == list(range(400_000 - len(lines), 400_000))
    assert len(lines) > 100_000


def test_a_pause_follows_each_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that writes without end does not keep the server busy."""
    looks = 0

    class Slow(ContainerLog):
        def refresh(self) -> None:
            nonlocal looks
            looks += 1
            time.sleep(0.01)

    monkeypatch.setattr(logwatch, "LONGEST_PAUSE", 10.0)
    stop = threading.Event()
    watch = LogWatch()

    def write() -> None:
        with (tmp_path / "stdout.log").open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x\n")

    writer = threading.Thread(target=write)
    try:
        watch.watch(Slow(tmp_path), tmp_path)
        writer.start()
        stop.wait(1)
    finally:
        stop.set()
        writer.join()
        watch.close()
    assert 3 <= looks <= 12
