"""One look at what is neither task nor service: what is due of it, and when to look again."""

from __future__ import annotations

from kecs_server.domain import gateway as gateways
from kecs_server.state.realm import Managed
from kecs_server.state.store import Store


def look_after(store: Store, thing: Managed, now: float) -> float | None:
    """Carry out what is due.

    :returns: when to look again (realm's clock).
    """
    return gateways.advance(thing, store.place, now)
