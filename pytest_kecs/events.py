"""The events that ECS sends to EventBridge, as a test asks for them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import TypedDict
from typing import Unpack
from typing import overload

from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

__tracebackhide__ = True  # as in `kecs`

SOURCE = "aws.ecs"
_TASK_CHANGE = "ECS Task State Change"
DETAIL_TYPES = (
    _TASK_CHANGE,
    "ECS Container Instance State Change",
    "ECS Service Action",
    "ECS Deployment State Change",
)
EVENT_SECONDS = 30.0
NEAREST = 5
"""Events that an error shows of those that nearly were the one."""

Resource = Mapping[str, Any] | str
"""A task, service or container instance as boto3 gives it; its ARN, or the end of it."""

_ARNS = ("taskArn", "serviceArn", "containerInstanceArn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of ECS; the `number`th of the test's environment."""

    number: int
    id: str
    time: datetime
    source: str
    detail_type: str
    account: str
    region: str
    resources: tuple[str, ...]
    detail: Mapping[str, Any]

    @property
    def envelope(self) -> dict[str, Any]:
        """The event as EventBridge gives it to a target: a Lambda function under test, say."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "region": self.region,
            "resources": list(self.resources),
            "detail": dict(self.detail),
        }

    def __str__(self) -> str:
        """One line: when, what, of which thing, and the statuses or the name that it has."""
        names = ("eventName", "lastStatus", "desiredStatus", "status", "reason")
        told = [str(self.detail[name]) for name in names if name in self.detail]
        things = map(_short, self.resources)
        when = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return " ".join([when, f"[{self.detail_type}]", *things, *told])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events; `cursor` asks for those after them. `more`: there are some already. `ended`:
    there will never be any. `missed`: so many before them are not kept any more.
    """

    events: list[Event]
    cursor: int
    more: bool
    missed: int
    ended: bool


def event_page(answer: Mapping[str, Any]) -> EventPage:
    """The answer of `/_kecs/events`."""
    events = [
        Event(
            number=each["number"],
            id=each["id"],
            time=datetime.fromtimestamp(each["time"], UTC),
            source=each["source"],
            detail_type=each["detail_type"],
            account=each["account"],
            region=each["region"],
            resources=tuple(each["resources"]),
            detail=json.loads(each["detail"]),
        )
        for each in answer["events"]
    ]
    return EventPage(
        events=events,
        cursor=answer["cursor"],
        more=answer["more"],
        missed=answer["missed"],
        ended=answer["ended"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events are meant; what is None, or not in `detail`, may be anything.

    :raises ValueError: ECS has no such source or detail type.
    """

    source: str | None = None
    detail_type: str | None = None
    resource: Resource | None = None
    detail: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.source not in (None, SOURCE):
            raise ValueError(f"the source of ECS's events is {SOURCE!r}, not {self.source!r}")
        if self.detail_type not in (None, *DETAIL_TYPES):
            close = difflib.get_close_matches(str(self.detail_type), DETAIL_TYPES, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(
                f"no event of ECS has the detail type {self.detail_type!r}; {hint}There are "
                + ", ".join(map(repr, DETAIL_TYPES))
            )

    def differences(self, event: Event) -> list[str]:
        """What of the event is not as asked."""
        wrong = []
        if self.detail_type not in (None, event.detail_type):
            wrong.append(f"it is not of the detail type {self.detail_type!r}")
        if self.resource is not None and not self._is_of(event):
            wrong.append(f"it is not of {arn_of(self.resource)}")
        return wrong + list(_differences(self.detail or {}, event.detail, "detail"))

    def is_last(self, event: Event) -> bool:
        """Whether none that is asked for comes after this event: a task has stopped."""
        return (
            self.detail_type == event.detail_type == _TASK_CHANGE
            and self.resource is not None
            and self._is_of(event)
            and event.detail.get("lastStatus") == "STOPPED"
        )

    def _is_of(self, event: Event) -> bool:
        name = arn_of(self.resource) if self.resource is not None else ""
        return any(arn == name or arn.endswith("/" + name) for arn in event.resources)

    def __str__(self) -> str:
        parts = [f"of the detail type {self.detail_type!r}"] if self.detail_type else []
        parts += [f"of {_short(arn_of(self.resource))}"] if self.resource is not None else []
        parts += [f"with {_shown(self.detail)} in its detail"] if self.detail else []
        return " ".join(["event", *parts])


def _short(arn: str) -> str:
    """Without the partition, service, region and account."""
    return arn.split(":", 5)[-1]


def arn_of(resource: Resource) -> str:
    """:raises ValueError: a mapping that is no task, service or container instance."""
    if isinstance(resource, str):
        return resource
    for name in _ARNS:
        if name in resource:
            return str(resource[name])
    raise ValueError(f"the resource of an event has one of {', '.join(_ARNS)}, or is an ARN")


def _differences(wanted: Any, found: Any, where: str) -> Iterator[str]:
    """A mapping has its members at least, a list its elements in any order; a compiled pattern is
    found in the text; all else is equal.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for name, value in wanted.items():
            if name in found:
                yield from _differences(value, found[name], f"{where}.{name}")
            else:
                yield f"{where} has no {name}"
    elif isinstance(wanted, (list, tuple)) and isinstance(found, list):
        for value in wanted:
            if all(any(_differences(value, each, where)) for each in found):
                yield f"{where} has no element {_shown(value)}"
    elif isinstance(wanted, re.Pattern):
        if not isinstance(found, str) or not wanted.search(found):
            yield f"{where} is {found!r}, in which {wanted.pattern!r} is not found"
    elif wanted != found:
        yield f"{where} is {found!r}, not {wanted!r}"


def _shown(value: Any) -> str:
    return repr(dict(value)) if isinstance(value, Mapping) else repr(value)


class _Reader:
    """Reads on where it stopped."""

    def __init__(self, admin: AdminClient, after: Event | None) -> None:
        self._admin = admin
        self._cursor = after.number if after is not None else 0
        self.missed = 0
        self.ended = False

    def new(self) -> Iterator[Event]:
        """What there is now."""
        more = True
        while more:
            page = self._admin.read_events(self._cursor)
            self._cursor, more = page.cursor, page.more
            self.missed += page.missed
            self.ended = page.ended
            yield from page.events


class Wanted(TypedDict, total=False):
    """Which events a test asks for besides their detail type; what is left out may be anything."""

    source: str | None
    resource: Resource | None
    """A task, service or container instance, its ARN, name or id."""
    detail: Mapping[str, Any] | None
    """Members that the detail has, and how they are: a mapping, list or text as it is there, or a
    compiled pattern found in it. Of mappings and lists it may have more.
    """


class EventMethods:
    """What `kecs` offers of events."""

    _admin: AdminClient

    @overload
    def events(
        self,
        *,
        detail_type: str | None = None,
        follow: Literal[True],
        timeout: float = EVENT_SECONDS,
        after: Event | None = None,
        **wanted: Unpack[Wanted],
    ) -> Iterator[Event]: ...

    @overload
    def events(
        self,
        *,
        detail_type: str | None = None,
        follow: Literal[False] = False,
        after: Event | None = None,
        **wanted: Unpack[Wanted],
    ) -> list[Event]: ...

    def events(
        self,
        *,
        detail_type: str | None = None,
        follow: bool = False,
        timeout: float = EVENT_SECONDS,
        after: Event | None = None,
        **wanted: Unpack[Wanted],
    ) -> list[Event] | Iterator[Event]:
        """What ECS has sent to EventBridge so far, the oldest first; of it only what matches.

        :param follow: give events as they come as well, for `timeout` seconds.
        :param after: only what came after this event.
        :param wanted: source, resource and detail: see `Wanted`.
        :raises ValueError: there is no such source or detail type.
        """
        query = EventQuery(detail_type=detail_type, **wanted)
        reader = _Reader(self._admin, after)
        if follow:
            return self._follow(query, reader, timeout)
        return [event for event in reader.new() if not query.differences(event)]

    def _follow(self, query: EventQuery, reader: _Reader, timeout: float) -> Iterator[Event]:
        change = self._admin.wait(-1, timeout=timeout)
        while True:
            yield from (event for event in reader.new() if not query.differences(event))
            if change.timed_out or reader.ended:
                return
            change = self._admin.wait(change.version, timeout=timeout, deadline=change.deadline)

    def wait_for_event(
        self,
        detail_type: str | None = None,
        *,
        timeout: float = EVENT_SECONDS,
        after: Event | None = None,
        **wanted: Unpack[Wanted],
    ) -> Event:
        """The first event that matches, of those that there were and those that come; the
        parameters are those of `events`.

        :raises WaitTimeout: there was none for `timeout` seconds; the nearest ones are shown.
        :raises WaitError: a change was asked for of a task that has come to its last one.
        """
        query = EventQuery(detail_type=detail_type, **wanted)
        reader = _Reader(self._admin, after)
        others: list[Event] = []

        def look() -> Event | None:
            is_over = False
            for event in reader.new():
                if not query.differences(event):
                    return event
                others.append(event)
                is_over = is_over or query.is_last(event)
            if is_over:
                text = "will come any more, for the task has stopped"
                raise WaitError(_story(query, text, others, reader.missed))
            return None

        found = wait_until(self._admin, look, timeout)
        if found is None:
            raise WaitTimeout(_story(query, f"came within {timeout:g} s", others, reader.missed))
        return found

    def assert_event(
        self,
        detail_type: str | None = None,
        *,
        timeout: float = EVENT_SECONDS,
        after: Event | None = None,
        **wanted: Unpack[Wanted],
    ) -> Event:
        """Assert that such an event was sent, or is within `timeout` seconds."""
        return self.wait_for_event(detail_type, timeout=timeout, after=after, **wanted)


def _story(query: EventQuery, how: str, others: list[Event], missed: int) -> str:
    lines = [f"no {query} {how}"]
    if missed:
        lines.append(f"{missed} older events are not kept any more")
    if not others:
        lines.append("there was no event at all")
        return "; ".join(lines)
    differing = sorted(
        ((query.differences(event), event) for event in others),
        key=lambda pair: (len(pair[0]), -pair[1].number),
    )
    lines.append(f"the nearest of the {len(others)} that came:")
    nearest = [f"  {event}\n    {'; '.join(wrong)}" for wrong, event in islice(differing, NEAREST)]
    return "\n".join(["; ".join(lines), *nearest])
