"""The names under which a task finds services, and the connections that are made by them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kecs_server.domain.arns import parse_arn
from kecs_server.domain.discovery import Endpoint
from kecs_server.domain.discovery import Turns
from kecs_server.domain.discovery import mark_of
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import Place
from kecs_server.engines.base import Named
from kecs_server.state.realm import Realm
from kecs_server.state.store import Store

Connect = Callable[[str, str, int], socket.socket]
"""To a container's port: the ids of task and container, and the port; :raises OSError."""


@dataclass(frozen=True, slots=True)
class Name:
    """`place` as the task calls it, what connects to it, and what it is for a cluster."""

    place: Place
    connect: Callable[[], socket.socket]
    named: Named


def names_of(realm: Realm, task: Task, connect: Connect) -> list[Name]:
    """What the task can find by name, from its start on (ecs-facts 7.9): what comes later is for
    tasks that start later. Of two that have one name and port the first is found.
    """
    with realm.reading():
        store, service = _store(realm, task.arn), realm.service_of(task)
        registries = realm.registered.registries
        found: dict[Place, Name] = {}
        for endpoint in store.discovery.endpoints(task, service, registries):
            place = Place(endpoint.host, endpoint.port)
            where = endpoint.place(endpoint.definition)
            if where is not None and place not in found:
                found[place] = Name(
                    place,
                    partial(_connect, realm, endpoint, Turns(), connect),
                    Named(
                        host=endpoint.host,
                        port=endpoint.port,
                        target_port=where[1],
                        mark=mark_of(realm.id, endpoint.service.arn),
                    ),
                )
        return list(found.values())


def _connect(realm: Realm, endpoint: Endpoint, turns: Turns, connect: Connect) -> socket.socket:
    """:raises OSError: no task of the service takes it."""
    with realm.reading():
        store = _store(realm, endpoint.service.arn)
        cluster = store.clusters.get(endpoint.service.cluster_arn.rpartition("/")[2])
        service = cluster.services.get(endpoint.service.name) if cluster is not None else None
        tasks = cluster.service_tasks(endpoint.service.name) if cluster is not None else []
        serving = turns.order(service, tasks) if service is not None else []
        places = [(task.id, endpoint.place(task.task_definition)) for task in serving]
    for task_id, place in places:
        if place is None:
            continue
        try:
            return connect(task_id, *place)
        except OSError:
            continue  # it has just ended, or does not listen yet
    raise ConnectionRefusedError(f"no task of {endpoint.service.arn} takes connections")


def _store(realm: Realm, arn: str) -> Store:
    parsed = parse_arn(arn)
    assert parsed is not None
    return realm.store(parsed.account, parsed.region)
