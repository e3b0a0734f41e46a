"""One look at what is neither task nor service: what is due of it, and when to look again."""

from __future__ import annotations

from kecs_server.domain import gateway as gateways
from kecs_server.domain.daemon import Daemon
from kecs_server.domain.daemon_task_definition import COMPATIBILITY
from kecs_server.domain.daemon_task_definition import DaemonTaskDefinition
from kecs_server.domain.daemon_task_definition import finish_deletion
from kecs_server.domain.gateway import Gateway
from kecs_server.domain.task_definition import DELETE_IN_PROGRESS
from kecs_server.scheduler import daemons
from kecs_server.state.realm import Managed
from kecs_server.state.realm import Realm


def look_after(realm: Realm, thing: Managed) -> float | None:
    """Carry out what is due.

    :returns: when to look again (realm's clock).
    """
    if isinstance(thing, Gateway):
        return gateways.advance(thing, realm.clock.now())
    if isinstance(thing, Daemon):
        return _look_after_daemon(realm, thing)
    if not any(daemon.uses(thing) for _, daemon in realm.daemons()):
        finish_deletion(thing, realm.clock.now())
    return None


def _look_after_daemon(realm: Realm, daemon: Daemon) -> float | None:
    cluster = next((cluster for cluster, each in realm.daemons() if each is daemon), None)
    if cluster is None or not daemon.is_there:
        return None
    outcome = daemons.reconcile(cluster, daemon, realm.clock.now(), realm.registered.alarms)
    for task in outcome.touched:
        realm.touch_task(cluster, task)
    for task in cluster.tasks.values():
        if task.launch_type == COMPATIBILITY and not task.provision_asked:
            realm.look_at_task(cluster, task)
    for definition in _definitions_to_go(realm):
        realm.touch_managed(definition)
    return outcome.look_again_at


def _definitions_to_go(realm: Realm) -> list[DaemonTaskDefinition]:
    """Those that are deleted once no daemon uses them."""
    return [
        definition
        for store in realm.stores()
        for revisions in store.daemon_families.values()
        for definition in revisions.values()
        if definition.status == DELETE_IN_PROGRESS
    ]
