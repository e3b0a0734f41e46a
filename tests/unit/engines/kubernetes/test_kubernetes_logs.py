"""Logs on kind, with a node whose files are those of a directory and whose shell is this one's."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kecs_server.engines.kubernetes import crilog
from kecs_server.engines.kubernetes import nodelogs
from kecs_server.engines.kubernetes.logs import FollowedLogs
from kecs_server.engines.kubernetes.logs import LogSource
from kecs_server.engines.kubernetes.nodelogs import NodeLogs
from kecs_server.engines.logs import ContainerLog

TIME = b"2026-11-24T05:34:09.123456789Z"
EPOCH = 1795498449.123456
SOURCE = LogSource(task_id="ab", pod="worker-1", uid="u", node="n", container="app", name="App")
AGAIN = LogSource(task_id="ab", pod="worker-1", uid="u", node="n", container="app-r1", name="App")
SECONDS = 20.0

FakeTool = Callable[[str, str], None]


def lines(*lines: bytes) -> bytes:
    return b"".join(TIME + b" " + line + b"\n" for line in lines)


def parsed(*pieces: bytes) -> list[tuple[str, bytes]]:
    parser = crilog.CriParser()
    return [(entry.stream, entry.data) for piece in pieces for entry in parser.feed(piece)]


def test_streams_are_apart_exact_and_have_times() -> None:
    data = lines(b"stdout F hello", b"stderr F oops", b"stdout F ", b"stdout F  a  b ")
    assert parsed(data) == [
        ("stdout", b"hello\n"),
        ("stderr", b"oops\n"),
        ("stdout", b"\n"),
        ("stdout", b" a  b \n"),
    ]
    (entry, *_) = crilog.CriParser().feed(data)
    assert entry.time == EPOCH


def test_parts_have_no_line_end() -> None:
    data = lines(b"stdout P abc", b"stdout F def", b"stdout P:x z", b"stdout F:y \xff\r\x0b\x85")
    assert [text for _, text in parsed(data)] == [b"abc", b"def\n", b"z", b"\xff\r\x0b\x85\n"]


@pytest.mark.parametrize("size", [1, 7, 40])
def test_pieces_of_any_size(size: int) -> None:
    data = lines(b"stdout F one", b"stderr F two") + TIME + b" stdout F th"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert parsed(*pieces) == [("stdout", b"one\n"), ("stderr", b"two\n")]


def test_the_api_gives_times_and_merged_text() -> None:
    parser = crilog.ApiParser()
    entries = [*parser.feed(TIME + b" one\n" + TIME + b" \n" + TIME + b" tw"), *parser.finish()]
    assert [(entry.time, entry.data) for entry in entries] == [
        (EPOCH, b"one\n"),
        (EPOCH, b"\n"),
        (EPOCH, b"tw"),
    ]


def test_times_within_a_long_line_of_an_old_api_are_not_the_programs() -> None:
    part = b"x" * crilog.LONGEST_PART
    data = TIME + b" " + part + TIME + b" " + part + TIME + b" rest\n"
    assert [entry.data for entry in crilog.ApiParser().feed(data)] == [part + part + b"rest\n"]


def test_kubelets_own_error_is_not_the_programs() -> None:
    parser = crilog.ApiParser()
    error = b"rpc error: code = NotFound desc = an error occurred when trying to find container "
    found = [*parser.feed(TIME + b" one\n" + error + b'"%s": not found' % (b"ab" * 32))]
    assert [entry.data for entry in [*found, *parser.finish()]] == [b"one\n"]


class ScriptedApi:
    """Answers each time that the log is asked for with the next of `logs`."""

    def __init__(self, *logs: bytes) -> None:
        self._logs = list(logs)

    def follow_log(self, namespace: str, pod: str, container: str) -> list[bytes]:
        return [self._logs.pop(0)]


def test_a_log_that_goes_with_its_container_stays_as_it_was_read(tmp_path: Path) -> None:
    error = b"unable to retrieve container logs for containerd://" + b"ab" * 32
    api = ScriptedApi(lines(b"ready"), error)
    logs = FollowedLogs(tmp_path, api, "namespace")  # type: ignore[arg-type]
    logs.begin(SOURCE)
    logs.keep(SOURCE)
    assert content(logs.log("ab", "App")) == (b"ready\n", b"")


@pytest.fixture
def node(tmp_path: Path, fake_tool: FakeTool, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the node has the Pods' logs."""
    monkeypatch.setattr(nodelogs, "PODS", str(tmp_path / "pods"))
    fake_tool("docker", 'shift 3; exec setsid "$@"')
    return tmp_path / "pods" / "namespace_worker-1_u"


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[NodeLogs]:
    logs = NodeLogs(tmp_path / "logs", "namespace")
    yield logs
    logs.close()


def write(path: Path, *more: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(lines(*more))


def content(log: ContainerLog) -> tuple[bytes, bytes]:
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    chunk = log.read()
    while True:
        for entry in chunk.entries:
            parts[entry.stream].append(entry.data)
        if not chunk.more:
            return b"".join(parts["stdout"]), b"".join(parts["stderr"])
        chunk = log.read(chunk.cursor)


def test_logs_are_read_until_they_are_kept(logs: NodeLogs, node: Path, tmp_path: Path) -> None:
    file = node / "app" / "0.log"
    write(file, b"stdout F zero")
    log = logs.log("ab", "App")
    assert content(log) == (b"", b"")  # it has not started
    logs.begin(SOURCE)
    assert content(log) == (b"zero\n", b"")
    write(file, b"stdout F one", b"stderr F two")
    assert not log.read().ended
    write(file, b"stdout F three")
    logs.keep(SOURCE)
    file.unlink()
    assert log.read().ended
    assert content(log) == (b"zero\none\nthree\n", b"two\n")
    logs.discard(SOURCE.task_id)
    assert list((tmp_path / "logs").iterdir()) == []


def test_what_was_saved_in_time_outlives_the_files(logs: NodeLogs, node: Path) -> None:
    write(node / "app" / "0.log", b"stdout F one")
    logs.begin(SOURCE)
    logs.save(SOURCE)
    (node / "app" / "0.log").unlink()
    logs.keep(SOURCE)
    assert content(logs.log("ab", "App")) == (b"one\n", b"")


def test_lives_are_one_log(logs: NodeLogs, node: Path) -> None:
    log = logs.log("ab", "App")
    write(node / "app" / "0.log", b"stdout F one")
    logs.begin(SOURCE)
    write(node / "app-r1" / "0.log", b"stdout F two")
    logs.begin(AGAIN)
    logs.keep(SOURCE)
    assert log.is_live
    logs.keep(AGAIN)
    assert not log.is_live
    assert content(log) == (b"one\ntwo\n", b"")


def rotate(file: Path, stamp: str) -> Path:
    return file.rename(file.with_name(f"0.log.{stamp}"))


def compress(file: Path) -> None:
    file.with_name(file.name + ".tmp").write_bytes(b"unfinished")
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


@pytest.mark.parametrize("look", [True, False], ids=["read meanwhile", "read at the end"])
def test_rotated_files(logs: NodeLogs, node: Path, *, look: bool) -> None:
    file = node / "app" / "0.log"
    logs.begin(SOURCE)
    log = logs.log("ab", "App")
    expected = b""

    def see() -> None:
        if look:
            assert content(log)[0] == expected

    def add(text: bytes, to: Path) -> None:
        nonlocal expected
        write(to, b"stdout F " + text)
        expected += text + b"\n"

    add(b"one", file)
    see()
    first = rotate(file, "20261124-100000")
    see()
    add(b"two", first)  # the runtime has not opened the new file yet
    see()
    add(b"three", file)
    see()
    second = rotate(file, "20261124-100001")
    compress(first)
    add(b"four", file)
    see()
    add(b"five", file)
    rotate(file, "20261124-100002")
    compress(second)
    add(b"six", file)
    logs.keep(SOURCE)
    assert content(log) == (expected, b"")


class Follower:
    """Reads whenever it is told that there is something."""

    def __init__(self, log: ContainerLog) -> None:
        self.log = log
        self.told = threading.Event()

    def wait(self, stdout: bytes) -> None:
        while content(self.log)[0] != stdout:
            assert self.told.wait(SECONDS), content(self.log)
            self.told.clear()


@contextmanager
def following(log: ContainerLog) -> Iterator[Follower]:
    follower = Follower(log)
    with log.listening(follower.told.set):
        yield follower


def test_followed_as_it_is_written(logs: NodeLogs, node: Path) -> None:
    file = node / "app" / "0.log"
    write(file, b"stdout F one")
    logs.begin(SOURCE)
    with following(logs.log("ab", "App")) as follower:
        follower.wait(b"one\n")
        write(file, b"stdout F two")
        follower.wait(b"one\ntwo\n")
        rotated = rotate(file, "20261124-100000")
        write(rotated, b"stdout F three")
        write(file, b"stdout F four")
        follower.wait(b"one\ntwo\nthree\nfour\n")
        write(file, b"stdout F five")
        logs.keep(SOURCE)
        follower.wait(b"one\ntwo\nthree\nfour\nfive\n")
        assert follower.log.read().ended


def test_a_follower_of_one_life_follows_the_next(logs: NodeLogs, node: Path) -> None:
    write(node / "app" / "0.log", b"stdout F one")
    logs.begin(SOURCE)
    with following(logs.log("ab", "App")) as follower:
        follower.wait(b"one\n")
        write(node / "app-r1" / "0.log", b"stdout F two")
        logs.begin(AGAIN)
        logs.keep(SOURCE)
        follower.wait(b"one\ntwo\n")
        write(node / "app-r1" / "0.log", b"stdout F three")
        follower.wait(b"one\ntwo\nthree\n")


def test_much_at_once(logs: NodeLogs, node: Path) -> None:
    file = node / "app" / "0.log"
    write(file, b"stdout F begin")
    logs.begin(SOURCE)
    texts = [b"%06d" % number for number in range(20_000)]
    with following(logs.log("ab", "App")) as follower:
        follower.wait(b"begin\n")
        for at in range(0, len(texts), 1000):
            write(file, *(b"stdout F " + text for text in texts[at : at + 1000]))
        logs.keep(SOURCE)
        assert content(follower.log)[0] == b"begin\n" + b"".join(text + b"\n" for text in texts)


def test_nothing_runs_on_the_node_when_nobody_follows_any_more(logs: NodeLogs, node: Path) -> None:
    write(node / "app" / "0.log", b"stdout F one")
    logs.begin(SOURCE)
    with following(logs.log("ab", "App")) as follower:
        follower.wait(b"one\n")
    assert processes_in(node / "app")
    logs.close()
    deadline = time.monotonic() + SECONDS
    while processes_in(node / "app"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes_in(directory: Path) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/cwd") == str(directory):
                found.append(pid)
        except OSError:
            continue
    return found


def test_a_node_that_does_not_answer_is_said_in_the_log(
    tmp_path: Path, fake_tool: FakeTool
) -> None:
    fake_tool("docker", "echo 'no such container' >&2; exit 1")
    logs = NodeLogs(tmp_path, "namespace")
    logs.begin(SOURCE)
    logs.save(SOURCE)
    logs.keep(SOURCE)
    _, stderr = content(logs.log("ab", "App"))
    assert stderr.count(b"no such container") == 1
