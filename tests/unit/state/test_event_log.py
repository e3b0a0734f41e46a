"""The bounded log of a realm's events."""

from __future__ import annotations

import pytest
from kecs_server.domain.events import Event
from kecs_server.state import event_log
from kecs_server.state.event_log import EventLog


def event(text: str) -> Event:
    return Event(
        id="i", at=1.0, detail_type="t", account="a", region="r", resources=("arn",), detail=text
    )


def found(log: EventLog, after: int, most: int = 100) -> list[tuple[int, str]]:
    return [(number, event.detail) for number, event in log.after(after, most)]


def test_events_are_numbered_and_paged() -> None:
    log = EventLog()
    assert (found(log, 0), log.last) == ([], 0)
    for text in "abc":
        log.add(event(text))
    assert found(log, 0) == [(1, "a"), (2, "b"), (3, "c")]
    assert found(log, 1, most=1) == [(2, "b")]
    assert found(log, 3) == found(log, 99) == []


def test_the_oldest_are_dropped_above_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_EVENTS", 2)
    log = EventLog()
    for text in "abcd":
        log.add(event(text))
    assert log.last == 4
    assert found(log, 0) == found(log, 2) == [(3, "c"), (4, "d")]
    assert found(log, 3) == [(4, "d")]


def test_the_oldest_are_dropped_above_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_CHARACTERS", 10)
    log = EventLog()
    for text in ("1234", "1234", "123456"):
        log.add(event(text))
    assert found(log, 0) == [(2, "1234"), (3, "123456")]
    log.add(event("12345678901"))
    assert found(log, 0) == []
    log.add(event("x"))
    assert found(log, 0) == [(5, "x")]
