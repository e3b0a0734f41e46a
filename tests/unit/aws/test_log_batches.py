"""Lines of a log as events, in portions that PutLogEvents takes."""

from __future__ import annotations

import pytest
from kecs_server.aws.logs import MAX_BATCH
from kecs_server.aws.logs import MAX_EVENT
from kecs_server.aws.logs import MAX_EVENTS
from kecs_server.aws.logs import OVERHEAD
from kecs_server.aws.logs import batches
from kecs_server.engines.logs import LogEntry


def entries(*lines: bytes) -> list[LogEntry]:
    return [LogEntry(n / 1000, "stdout", line) for n, line in enumerate(lines, 1)]


def test_lines_become_events() -> None:
    lines = (b"one\n", b"\n", b"two\r\n", b"no end", b"\xff?\n", b"  blanks \n")
    [batch] = batches(entries(*lines))
    assert batch == [
        {"timestamp": 1, "message": "one"},
        {"timestamp": 3, "message": "two"},
        {"timestamp": 4, "message": "no end"},
        {"timestamp": 5, "message": "\N{REPLACEMENT CHARACTER}?"},
        {"timestamp": 6, "message": "  blanks "},
    ]


def test_nothing_is_no_batch() -> None:
    assert list(batches(entries(b"\n", b""))) == []


@pytest.mark.parametrize("character", ["x", "é", "日", "🦭"])
def test_a_long_line_is_cut_between_characters(character: str) -> None:
    text = "a" + character * (2 * MAX_EVENT // len(character.encode()))
    events = [event for batch in batches(entries(text.encode())) for event in batch]
    parts = [event["message"] for event in events]
    assert "".join(parts) == text
    assert len(parts) == 3
    assert all(len(part.encode()) <= MAX_EVENT for part in parts)


def test_a_batch_has_so_many_events() -> None:
    sizes = [len(batch) for batch in batches(entries(*[b"x\n"] * (MAX_EVENTS + 1)))]
    assert sizes == [MAX_EVENTS, 1]


def test_a_batch_has_so_many_bytes() -> None:
    line = b"x" * (MAX_BATCH // 8 - OVERHEAD)
    sizes = [len(batch) for batch in batches(entries(*[line] * 9))]
    assert sizes == [8, 1]
