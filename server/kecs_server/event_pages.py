"""Pages of a realm's events, and waiting for more."""

from __future__ import annotations

import time
from typing import Any

from kecs_server.domain.events import SOURCE
from kecs_server.domain.events import Event
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

PAGE = 500
"""Events of one answer."""


def read_events(realm: Realm, after: int, wait: float) -> Structure:
    """The events behind the one of this number; with none, those that come within `wait` seconds.

    `cursor` asks for what follows, `more` says that there is some already, `missed` how many were
    dropped before they were asked for. `ended`: the realm is gone, and none will come.
    """
    deadline = time.monotonic() + wait
    while True:
        with realm.reading():
            found = realm.events.after(after, PAGE)
            last, version, has_ended = realm.events.last, realm.version, realm.ended
        if found or has_ended or time.monotonic() >= deadline:
            break
        realm.wait(version, deadline)
    cursor = found[-1][0] if found else after
    return {
        "events": [_as_json(number, event) for number, event in found],
        "cursor": cursor,
        "more": cursor < last,
        "missed": found[0][0] - after - 1 if found else 0,
        "ended": has_ended,
    }


def _as_json(number: int, event: Event) -> Structure:
    return {
        "number": number,
        "id": event.id,
        "time": event.at,
        "source": SOURCE,
        "detail_type": event.detail_type,
        "account": event.account,
        "region": event.region,
        "resources": event.resources,
        "detail": event.detail,
    }
