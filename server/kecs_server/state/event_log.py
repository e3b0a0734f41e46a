"""The events of a realm, for who asks for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from kecs_server.domain.events import Event

MAX_EVENTS = 10_000
MAX_CHARACTERS = 32 * 1024 * 1024
"""Of details. The oldest events are dropped above either: a realm may live for days."""


class EventLog:
    """Events in their order, numbered from 1 on. Guarded by the realm's lock."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._characters = 0
        self._last = 0

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._last += 1
        self._characters += len(event.detail)
        while len(self._events) > MAX_EVENTS or self._characters > MAX_CHARACTERS:
            self._characters -= len(self._events.popleft().detail)

    @property
    def last(self) -> int:
        """The number of the newest event that there ever was; 0: none."""
        return self._last

    def after(self, number: int, most: int) -> Sequence[tuple[int, Event]]:
        """The events behind this number, with their own, as far as they are kept."""
        dropped = self._last - len(self._events)
        begin = max(number - dropped, 0)
        found = islice(self._events, begin, begin + most)
        return list(enumerate(found, start=dropped + begin + 1))
