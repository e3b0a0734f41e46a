"""Which events match, and what is said when none does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

import pytest

from pytest_kecs.admin import AdminClient
from pytest_kecs.events import Event
from pytest_kecs.events import EventMethods
from pytest_kecs.events import EventPage
from pytest_kecs.events import EventQuery
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/abc"
TASK = "ECS Task State Change"


def event(number: int = 1, **detail: Any) -> Event:
    return Event(
        number=number,
        id="i",
        time=datetime(2026, 1, 31, 12, 0, 0, 123456, UTC),
        source="aws.ecs",
        detail_type=TASK,
        account="123456789012",
        region="us-east-1",
        resources=(ARN,),
        detail=detail,
    )


STOPPED = event(
    lastStatus="STOPPED",
    stoppedReason="Essential container in task exited",
    containers=[{"name": "log", "exitCode": 0}, {"name": "app", "exitCode": 3}],
)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({}, []),
        ({"source": "aws.ecs", "detail_type": TASK}, []),
        ({"detail_type": "ECS Service Action"}, ["detail type 'ECS Service Action'"]),
        ({"resource": ARN}, []),
        ({"resource": "abc"}, []),
        ({"resource": "default/abc"}, []),
        ({"resource": {"taskArn": ARN}}, []),
        ({"resource": "bc"}, ["it is not of bc"]),
        ({"detail": {"lastStatus": "STOPPED"}}, []),
        ({"detail": {"lastStatus": "RUNNING"}}, ["detail.lastStatus is 'STOPPED', not 'RUNNING'"]),
        ({"detail": {"stopCode": "x"}}, ["detail has no stopCode"]),
        ({"detail": {"stoppedReason": re.compile("^Essential")}}, []),
        ({"detail": {"stoppedReason": re.compile("^task")}}, ["in which '^task' is not found"]),
        ({"detail": {"containers": re.compile("x")}}, ["in which 'x' is not found"]),
        ({"detail": {"containers": [{"name": "app", "exitCode": 3}]}}, []),
        (
            {"detail": {"containers": [{"name": "app", "exitCode": 0}]}},
            ["detail.containers has no element {'name': 'app', 'exitCode': 0}"],
        ),
        (
            {"resource": "x", "detail": {"lastStatus": "RUNNING"}},
            ["it is not of x", "detail.lastStatus"],
        ),
    ],
)
def test_what_differs(query: dict[str, Any], wrong: list[str]) -> None:
    found = EventQuery(**query).differences(STOPPED)
    assert len(found) == len(wrong)
    assert all(text in told for text, told in zip(wrong, found, strict=True))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"source": "aws.ec2"}, "the source of ECS's events is 'aws.ecs', not 'aws.ec2'"),
        ({"detail_type": "Task State Change"}, "did you mean 'ECS Task State Change'? There are"),
        ({"detail_type": "x"}, "has the detail type 'x'; There are 'ECS Task State Change'"),
    ],
)
def test_what_no_event_can_be(query: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        EventQuery(**query)


def test_a_resource_that_is_none() -> None:
    with pytest.raises(ValueError, match="has one of taskArn, serviceArn"):
        EventQuery(resource={"clusterArn": "x"}).differences(STOPPED)


def test_the_envelope() -> None:
    assert event(a=1).envelope == {
        "version": "0",
        "id": "i",
        "detail-type": TASK,
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-01-31T12:00:00Z",
        "region": "us-east-1",
        "resources": [ARN],
        "detail": {"a": 1},
    }


@dataclass(frozen=True)
class _Change:
    version: int = 1
    deadline: float = 0.0
    timed_out: bool = True


class _Admin(AdminClient):
    """Has these events, two on a page, and says at once that the time is up."""

    def __init__(self, *events: Event, missed: int = 0) -> None:
        self._events = events
        self._missed = missed

    def wait(self, since: int, **_: Any) -> Any:
        return _Change()

    def read_events(self, after: int, *, wait: float | None = None) -> EventPage:
        found = [event for event in self._events if event.number > after]
        return EventPage(
            events=found[:2],
            cursor=found[:2][-1].number if found else after,
            more=len(found) > 2,
            missed=self._missed if found and after == 0 else 0,
            ended=False,
        )


class _Kecs(EventMethods):
    def __init__(self, *events: Event, missed: int = 0) -> None:
        self._admin = _Admin(*events, missed=missed)


def test_all_pages_are_read() -> None:
    events = [event(number, lastStatus="ABC"[number - 1]) for number in (1, 2, 3)]
    kecs = _Kecs(*events)
    assert kecs.events() == events
    assert kecs.events(after=events[0], detail={"lastStatus": "C"}) == events[2:]
    followed: Iterator[Event] = kecs.events(follow=True, after=events[1])
    assert list(followed) == events[2:]
    assert kecs.assert_event(TASK, resource="abc", after=events[0]) == events[1]


def test_the_nearest_events_are_shown() -> None:
    kecs = _Kecs(
        event(1, lastStatus="PENDING", desiredStatus="RUNNING", group="x"),
        event(2, lastStatus="RUNNING", desiredStatus="RUNNING"),
        missed=7,
    )
    with pytest.raises(WaitTimeout) as caught:
        kecs.wait_for_event(TASK, detail={"lastStatus": "STOPPED", "group": "x"}, timeout=0.5)
    assert str(caught.value).splitlines() == [
        f"no event of the detail type '{TASK}' with {{'lastStatus': 'STOPPED', 'group': 'x'}} in "
        "its detail came within 0.5 s; 7 older events are not kept any more; the nearest of the 2 "
        "that came:",
        f"  2026-01-31T12:00:00.123Z [{TASK}] task/default/abc PENDING RUNNING",
        "    detail.lastStatus is 'PENDING', not 'STOPPED'",
        f"  2026-01-31T12:00:00.123Z [{TASK}] task/default/abc RUNNING RUNNING",
        "    detail.lastStatus is 'RUNNING', not 'STOPPED'; detail has no group",
    ]


def test_after_the_last_change_of_a_task_none_is_waited_for() -> None:
    running = event(1, lastStatus="RUNNING")
    stopped = event(2, lastStatus="STOPPED", stopCode="UserInitiated")
    wanted: Any = {"resource": ARN, "detail": {"stopCode": "SpotInterruption"}}
    with pytest.raises(WaitError, match="will come any more, for the task has stopped") as caught:
        _Kecs(running, stopped).assert_event(TASK, **wanted)
    assert not isinstance(caught.value, WaitTimeout)
    assert "of task/default/abc with" in str(caught.value)
    assert "detail.stopCode is 'UserInitiated', not 'SpotInterruption'" in str(caught.value)
    for query in ({**wanted, "resource": "other"}, {"detail": wanted["detail"]}):
        with pytest.raises(WaitTimeout):
            _Kecs(running, stopped).assert_event(TASK, **query)
    with pytest.raises(WaitTimeout):
        _Kecs(running).assert_event(TASK, **wanted)
    with pytest.raises(WaitTimeout):
        _Kecs(stopped).assert_event("ECS Service Action", **wanted)


def test_no_event_at_all() -> None:
    with pytest.raises(WaitTimeout, match="no event came within 1 s; there was no event at all"):
        _Kecs().wait_for_event(timeout=1)


def test_no_other_names_are_taken() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'status'"):
        _Kecs().wait_for_event(status="STOPPED")  # type: ignore[call-arg]
