"""One look at what is neither task nor service: what is due of it, and when to look again."""

from __future__ import annotations

from kecs_server.domain import daemon_task_definition as daemon_definitions
from kecs_server.domain import gateway as gateways
from kecs_server.domain.gateway import Gateway
from kecs_server.state.realm import Managed
from kecs_server.state.realm import Realm


def look_after(realm: Realm, thing: Managed) -> float | None:
    """Carry out what is due.

    :returns: when to look again (realm's clock).
    """
    now = realm.clock.now()
    if isinstance(thing, Gateway):
        return gateways.advance(thing, now)
    daemon_definitions.finish_deletion(thing, now)
    return None
