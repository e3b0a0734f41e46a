"""One stream's file: lines and their times, the cap, what programs do to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kecs_server.engines import logfile
from kecs_server.engines.logfile import LogFile


@pytest.fixture
def file(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "task" / "stdout.log")


def write(file: LogFile, data: bytes, now: float) -> None:
    """As a container does, and the one who watches it."""
    file.path.parent.mkdir(exist_ok=True)
    with file.path.open("ab") as stream:
        stream.write(data)
    file.note(now)


def lines(file: LogFile, offset: int = 0, *, whole: bool = False) -> list[tuple[float, bytes]]:
    found, more = file.lines(offset, whole=whole)
    assert not more
    assert all(line.end > offset for line in found)
    return [(line.time, line.data) for line in found]


def test_a_line_has_the_time_at_which_it_was_ended(file: LogFile) -> None:
    write(file, b"one\ntw", 1.0)
    assert lines(file) == [(1.0, b"one\n"), (1.0, b"tw")]
    assert lines(file, whole=True) == [(1.0, b"one\n")]
    write(file, b"o\n\nthree", 2.0)
    assert lines(file) == [(1.0, b"one\n"), (2.0, b"two\n"), (2.0, b"\n"), (2.0, b"three")]
    assert lines(file, 4) == [(2.0, b"two\n"), (2.0, b"\n"), (2.0, b"three")]
    assert lines(file, 14) == []


def test_nothing_was_written(file: LogFile) -> None:
    assert not file.note(1.0)
    assert lines(file) == []
    assert (file.offset_since(0.0, live=True), file.offset_of_last(5)) == (0, 0)
    write(file, b"", 1.0)
    assert lines(file) == []


def test_close_moments_are_one_and_many_are_thinned(file: LogFile) -> None:
    for number in range(3 * logfile.MARKS):
        file.append([(number / 10_000, b"x\n")])
    assert 3 * logfile.MARKS // 12 < len(file._times) <= 3 * logfile.MARKS // 10 + 1
    for number in range(3 * logfile.MARKS):
        file.append([(10.0 + number, b"y\n")])
    assert len(file._times) <= logfile.MARKS
    times = [line.time for line in all_lines(file)]
    assert times == sorted(times)
    assert times[-1000:] == [9.0 + 3 * logfile.MARKS - n for n in range(999, -1, -1)]


def test_a_clock_that_goes_back_changes_no_order(file: LogFile) -> None:
    write(file, b"one\n", 5.0)
    write(file, b"two\n", 3.0)
    assert lines(file) == [(5.0, b"one\n"), (5.0, b"two\n")]


def test_since(file: LogFile) -> None:
    write(file, b"one\ntw", 1.0)
    write(file, b"o\nthree\n", 2.0)
    moments = (0.0, 1.0, 1.5, 2.0, 2.1)
    assert [file.offset_since(moment, live=True) for moment in moments] == [0, 0, 4, 4, 14]
    write(file, b"fo", 3.0)
    assert [file.offset_since(4.0, live=live) for live in (True, False)] == [14, 16]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_last_lines(file: LogFile, end: bytes) -> None:
    write(file, b"one\n\nthree" + end, 1.0)
    assert [file.offset_of_last(count) for count in range(5)] == [10 + len(end), 5, 4, 0, 0]


def test_last_lines_of_a_line_without_end(file: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "TAIL", 100)
    write(file, b"x" * 1000, 1.0)
    assert file.offset_of_last(1) == 900


def all_lines(file: LogFile) -> list[logfile.Line]:
    found: list[logfile.Line] = []
    more = True
    while more:
        part, more = file.lines(found[-1].end if found else 0, whole=False)
        assert part or not more
        found += part
    return found


@pytest.mark.parametrize("name", ["PIECE", "PIECE_LINES"])
def test_pieces(file: LogFile, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(logfile, name, 10)
    data = b"".join(b"%d\n" % number for number in range(100))
    write(file, data, 1.0)
    assert [line.data for line in all_lines(file)] == data.splitlines(keepends=True)


def test_a_line_longer_than_a_piece_is_cut_between_characters(
    file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "PIECE", 10)
    text = "äöü€😀" * 20
    write(file, b"a\n" + text.encode() + b"\nb", 1.0)
    parts = [line.data.decode() for line in all_lines(file)]
    assert "".join(parts) == f"a\n{text}\nb"
    assert max(map(len, parts)) <= 10
    write(file, b"\x80" * 25, 1.0)
    assert b"".join(line.data for line in all_lines(file)).endswith(b"\nb" + b"\x80" * 25)


def all_text(file: LogFile, size: int) -> bytes:
    found, offset = b"", 0
    while offset < file.end:
        part, offset = file.read(offset, size)
        part.decode()
        found += part
    return found


@pytest.mark.parametrize("size", [8, 13, 1000])
def test_text_is_cut_between_lines_or_characters(file: LogFile, size: int) -> None:
    text = ("äöü€😀" * 3 + "\na\n\nbc") * 5
    write(file, text.encode(), 1.0)
    assert all_text(file, size).decode() == text
    write(file, b"\nab\ncde", 2.0)
    assert file.read(len(text.encode()), 5) == (b"\nab\n", len(text.encode()) + 4)


def disk_use(file: LogFile) -> int:
    return os.stat(file.path).st_blocks * 512


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> int:
    cap = 1 << 20
    monkeypatch.setattr(logfile, "CAP", cap)
    return cap


def fill(file: LogFile, count: int) -> None:
    for number in range(count):
        write(file, b"%06d\n" % number * 1000, float(number))


def test_the_oldest_part_is_given_up_above_the_cap(file: LogFile, small_cap: int) -> None:
    fill(file, 500)
    assert disk_use(file) <= small_cap + 8192
    gap, *rest = all_lines(file)
    assert len(rest) * 7 >= small_cap * 7 // 8 - 7
    assert gap.data == b"[kecs: %d bytes of this log are gone; %d are kept]\n" % (
        500 * 7000 - len(rest) * 7,
        small_cap,
    )
    assert {line.data for line in rest[-1000:]} == {b"000499\n"}
    numbers = [int(line.data) for line in rest]
    assert numbers == sorted(numbers)
    assert [line.time for line in rest] == numbers
    assert all_text(file, 5000) == gap.data + b"".join(line.data for line in rest)
    # Who read up to here before is not told of what he has seen.
    assert all(b"kecs" not in line.data for line in file.lines(rest[0].end, whole=False)[0])
    assert file.offset_since(499.0, live=False) == 499 * 7000
    assert file.offset_of_last(2) == 500 * 7000 - 14


def test_without_holes_the_file_is_emptied(
    file: LogFile, small_cap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, size: int) -> None:
        raise OSError

    monkeypatch.setattr(logfile, "punch_hole", refuse)
    fill(file, 500)
    assert file.path.stat().st_size <= small_cap
    gap, *rest = all_lines(file)
    assert b"bytes of this log are gone" in gap.data
    assert [line.time for line in rest] == [int(line.data) for line in rest]
    assert {line.data for line in rest[-1000:]} == {b"000499\n"}
    assert rest[-1].end == 500 * 7000


def test_a_program_that_empties_its_log(file: LogFile) -> None:
    write(file, b"one\ntwo\n", 1.0)
    os.truncate(file.path, 0)
    write(file, b"new\n", 2.0)
    (gap, new) = lines(file)
    assert gap[1].startswith(b"[kecs: 8 bytes of this log are gone")
    assert new == (2.0, b"new\n")
    assert lines(file, 8) == [(2.0, b"new\n")]
