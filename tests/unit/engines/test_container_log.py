"""A container's log: both streams in order, cursors, ends and who listens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kecs_server.engines import logfile
from kecs_server.engines.logs import START
from kecs_server.engines.logs import ContainerLog
from kecs_server.engines.logs import LogEntry


@pytest.fixture
def log(tmp_path: Path) -> ContainerLog:
    return ContainerLog(tmp_path)


def out(moment: float, data: bytes) -> LogEntry:
    return LogEntry(moment, "stdout", data)


def err(moment: float, data: bytes) -> LogEntry:
    return LogEntry(moment, "stderr", data)


def test_streams_are_merged_by_time(log: ContainerLog) -> None:
    entries = [out(1, b"a\n"), err(2, b"b\n"), out(3, b"c\n"), out(4, b"d\n"), err(5, b"e\n")]
    log.append(entries)
    chunk = log.read()
    assert chunk.entries == entries
    assert (chunk.cursor, chunk.more, chunk.ended) == ((6, 4), False, True)
    assert log.read((2, 2)).entries == entries[2:]
    assert log.read(until=3).entries == entries[:3]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pieces_keep_the_order(
    log: ContainerLog, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(logfile, "PIECE_LINES", size)
    entries = [(out, err)[n % 7 > 3](float(n), b"%d\n" % n) for n in range(200)]
    log.append(entries)
    found, chunk = [], log.read()
    while True:
        found += chunk.entries
        if not chunk.more:
            break
        assert chunk.entries
        chunk = log.read(chunk.cursor)
    assert found == entries


def test_ends_and_begins(log: ContainerLog, tmp_path: Path) -> None:
    assert log.read().ended
    log.begin()
    (tmp_path / "stdout.log").write_bytes(b"one\ntw")
    chunk = log.read(whole_lines=True)
    assert [entry.data for entry in chunk.entries] == [b"one\n"]
    assert not chunk.ended
    assert log.is_live
    log.end()
    rest = log.read(chunk.cursor, whole_lines=True)
    assert [entry.data for entry in rest.entries] == [b"tw"]
    assert rest.ended


def test_last_lines(log: ContainerLog) -> None:
    log.append([out(n, b"out %d\n" % n) for n in range(0, 100, 2)])
    log.append([err(n, b"err %d\n" % n) for n in range(1, 20, 2)])
    assert log.last_lines(2) == {"stdout": b"out 96\nout 98\n", "stderr": b"err 17\nerr 19\n"}
    cursor = log.last(45)
    assert [entry.time for entry in log.read(cursor).entries] == [
        *range(13, 20),
        *range(20, 100, 2),
    ][-45:]
    assert log.last(0) == log.read().cursor
    assert log.last(1000) == START
    rest = log.read(log.last(2, "stderr")).entries
    assert [entry.data for entry in rest if entry.stream == "stderr"] == [b"err 17\n", b"err 19\n"]


def test_listeners_are_told_until_they_leave(log: ContainerLog, tmp_path: Path) -> None:
    told: list[int] = []
    log.begin()
    with log.listening(lambda: told.append(1)), log.listening(lambda: told.append(2)):
        log.refresh()
        assert told == []
        log.append([out(1, b"x")])
        assert told == [1, 2]
        log.end()
        assert told == [1, 2, 1, 2]
    log.append([out(2, b"y")])
    assert len(told) == 4


def test_the_last_lines_of_a_large_log_are_cheap(log: ContainerLog, tmp_path: Path) -> None:
    with (tmp_path / "stdout.log").open("wb") as file:
        file.truncate(logfile.CAP)  # one line of zeros, on no disk
    begun = time.monotonic()
    assert len(log.last_lines(20)["stdout"]) <= logfile.TAIL
    log.last(20)
    assert time.monotonic() - begun < 2
