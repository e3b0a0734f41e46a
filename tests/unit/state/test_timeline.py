"""What a timeline keeps, and what it gives up."""

from __future__ import annotations

import pytest
from kecs_server.state import timeline
from kecs_server.state.timeline import Timeline


def add_call(line: Timeline, input: bytes = b"{}", answer: str = "{}", at: float = 1.0) -> None:
    line.add_call(
        at,
        "ListTasks",
        account="0" * 12,
        region="us-east-1",
        milliseconds=1.25,
        input=input,
        answer=answer,
        error=None,
        message="",
    )


def test_bodies_are_kept_as_they_were(line: Timeline) -> None:
    body = b'{"a": 1}'
    add_call(line, body, '{"b": 2}')
    [entry] = line
    assert entry.call is not None
    assert entry.call.input is body
    assert (entry.call.answer, entry.text) == ('{"b": 2}', "ListTasks 1.2 ms")


def test_large_bodies_are_cut_and_their_size_is_known(line: Timeline) -> None:
    add_call(line, b"x" * 100_000, "y" * 50_000)
    [entry] = line
    assert entry.call is not None
    assert entry.call.input == b"x" * timeline.MAX_BODY
    assert entry.call.answer == "y" * timeline.MAX_BODY
    assert (entry.call.input_size, entry.call.answer_size) == (100_000, 50_000)


def test_the_oldest_bodies_are_given_up_first(
    line: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MAX_BODIES", 100)
    for number in range(5):
        add_call(line, b"i" * 20, "a" * 20, at=number)
    kept = [entry.call.input is not None for entry in line if entry.call]
    assert kept == [False, False, False, True, True]
    assert [entry.call.input_size for entry in line if entry.call] == [20] * 5


def test_memory_is_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_ENTRIES", 10)
    line = Timeline()
    for number in range(25):
        add_call(line, at=number)
        line.add(number, "task", "arn", "RUNNING")
    assert len(list(line)) == 10
    assert line.total == 50
    assert len(line._bodies) <= 10


def test_entries_after_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_ENTRIES", 4)
    line = Timeline()
    for number in range(6):
        line.add(number, "task", "arn", str(number))
    assert [entry.text for entry in line.after(0)] == ["2", "3", "4", "5"]
    assert [entry.text for entry in line.after(5)] == ["5"]
    assert line.after(6) == []


def test_what_a_text_gets_is_in_the_order_of_time_with_short_inputs(line: Timeline) -> None:
    line.add(2.0, "task", "arn", "RUNNING")
    add_call(line, b'{"cluster": "c"}', at=1.0)
    add_call(line, b"x" * 5000, at=3.0)
    assert [(e["kind"], e.get("input")) for e in line.as_json()] == [
        ("call", '{"cluster": "c"}'),
        ("task", None),
        ("call", None),
    ]


@pytest.fixture
def line() -> Timeline:
    return Timeline()
