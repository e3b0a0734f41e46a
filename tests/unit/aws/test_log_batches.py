"""Lines of a log as events, in portions that PutLogEvents takes."""

from __future__ import annotations

import pytest
from kecs_server.aws.log_events import MAX_BATCH
from kecs_server.aws.log_events import MAX_EVENT
from kecs_server.aws.log_events import MAX_EVENTS
from kecs_server.aws.log_events import OVERHEAD
from kecs_server.aws.log_events import Event
from kecs_server.aws.log_events import Joiner
from kecs_server.aws.log_events import batches
from kecs_server.aws.log_events import single
from kecs_server.engines.logs import LogEntry


def entries(*lines: bytes) -> list[LogEntry]:
    return [LogEntry(n / 1000, "stdout", line) for n, line in enumerate(lines, 1)]


def test_lines_become_events() -> None:
    lines = (b"one\n", b"\n", b"two\r\n", b"no end", b"\xff?\n", b"  blanks \n")
    [batch] = batches(single(entries(*lines)))
    assert batch == [
        {"timestamp": 1, "message": "one"},
        {"timestamp": 3, "message": "two"},
        {"timestamp": 4, "message": "no end"},
        {"timestamp": 5, "message": "\N{REPLACEMENT CHARACTER}?"},
        {"timestamp": 6, "message": "  blanks "},
    ]


def test_nothing_is_no_batch() -> None:
    assert list(batches(single(entries(b"\n", b"")))) == []


@pytest.mark.parametrize("character", ["x", "é", "日", "🦭"])
def test_a_long_line_is_cut_between_characters(character: str) -> None:
    text = "a" + character * (2 * MAX_EVENT // len(character.encode()))
    events = [event for batch in batches(single(entries(text.encode()))) for event in batch]
    parts = [event["message"] for event in events]
    assert "".join(parts) == text
    assert len(parts) == 3
    assert all(len(part.encode()) <= MAX_EVENT for part in parts)


def test_a_batch_has_so_many_events() -> None:
    sizes = [len(batch) for batch in batches(single(entries(*[b"x\n"] * (MAX_EVENTS + 1))))]
    assert sizes == [MAX_EVENTS, 1]


def test_a_batch_has_so_many_bytes() -> None:
    line = b"x" * (MAX_BATCH // 8 - OVERHEAD)
    sizes = [len(batch) for batch in batches(single(entries(*[line] * 9)))]
    assert sizes == [8, 1]


def test_lines_are_joined_to_the_one_that_begins_an_event() -> None:
    joiner = Joiner(lambda line: line[2:3] == b":")
    assert list(joiner.joined(entries(b"before\n", b"10: a\r\n", b"\n", b" b\n"))) == [
        Event(0.001, b"before\n")
    ]
    assert joiner.since == 0.002
    assert list(joiner.joined(entries(b"11: c\n"))) == [Event(0.002, b"10: a\n\n b\n")]
    assert list(joiner.rest()) == [Event(0.001, b"11: c\n")]
    assert joiner.since is None
    assert list(joiner.rest()) == []


def test_a_joined_event_has_so_many_bytes() -> None:
    joiner = Joiner(lambda line: line.startswith(b"begin"))
    line = b"x" * (MAX_EVENT // 4)
    events = [*joiner.joined(entries(b"begin\n", *[line] * 8)), *joiner.rest()]
    assert [len(event.text) // len(line) for event in events] == [3, 3, 2]
    assert all(len(event.text) <= MAX_EVENT + 1 for event in events)
