"""Life-cycle events to EventBridge, as `events` makes them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.domain.events import SOURCE
from kecs_server.domain.events import Event

Structure = dict[str, Any]

_log = logging.getLogger(__name__)

BATCH = 10
"""Entries that PutEvents takes at once."""

MAX_WAITING = 10_000
"""Events that wait for a slow endpoint; older ones are dropped."""

FLUSH_SECONDS = 2.0
"""How long the server's end waits for events to be delivered."""


@dataclass(frozen=True, slots=True)
class _Addressed:
    event: Event
    endpoints: Endpoints


class Sender:
    """One queue and one thread, begun with the first event: events arrive in their order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Addressed] = deque(maxlen=MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False
        self._complained: set[str] = set()

    def to(self, endpoints: Endpoints) -> Callable[[Event], None]:
        """What takes events for an endpoint; it returns at once."""
        return lambda event: self._put(_Addressed(event, endpoints))

    def _put(self, event: _Addressed) -> None:
        with self._changed:
            self._waiting.append(event)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="events", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Give what waits a moment to be delivered; then send no more."""
        with self._changed:
            self._changed.wait_for(self._is_idle, FLUSH_SECONDS)
            self._closed = True
            self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not self._waiting and not self._busy

    def _work(self) -> None:
        while batch := self._next():
            self._deliver(batch)

    def _next(self) -> list[_Addressed]:
        """Events that go to one place; none at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            self._busy = True
            return list(self._taken())

    def _taken(self) -> Iterator[_Addressed]:
        first = self._waiting[0]
        for _ in range(BATCH):
            if not self._waiting or _place(self._waiting[0]) != _place(first):
                return
            yield self._waiting.popleft()

    def _deliver(self, batch: list[_Addressed]) -> None:
        endpoints, region = _place(batch[0])
        try:
            entries = [_entry(each.event) for each in batch]
            answer = endpoints.call("events", region, "put_events", Entries=entries)
            refused = [entry for entry in answer["Entries"] if "ErrorCode" in entry]
            if refused:
                code, text = refused[0]["ErrorCode"], refused[0].get("ErrorMessage", "")
                self._complain(endpoints, f"{code}: {text}")
        except EndpointError as error:
            self._complain(endpoints, str(error))
        except Exception as error:
            _log.exception("events could not be sent to %s", endpoints.url)
            self._complain(endpoints, repr(error))

    def _complain(self, endpoints: Endpoints, text: str) -> None:
        """Once for each endpoint. AWS itself lets nobody send events as `aws.ecs`."""
        if endpoints.url not in self._complained:
            self._complained.add(endpoints.url)
            _log.warning("%s does not take events of ECS: %s", endpoints.url, text)


def _entry(event: Event) -> Structure:
    return {
        "Time": datetime.fromtimestamp(event.at, UTC),
        "Source": SOURCE,
        "Resources": list(event.resources),
        "DetailType": event.detail_type,
        "Detail": event.detail,
    }


def _place(addressed: _Addressed) -> tuple[Endpoints, str]:
    return addressed.endpoints, addressed.event.region
