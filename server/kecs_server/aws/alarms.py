"""States of the CloudWatch alarms that deployments watch, from the configured endpoint.

What the test set itself wins (ecs-facts 8.3).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.scheduler.rollouts import ALARM
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

POLL_SECONDS = 1.0
"""Between two looks at the alarms, while a deployment watches some."""

BATCH = 100
"""Names that DescribeAlarms takes at once."""

_log = logging.getLogger(__name__)


class Alarms:
    """Asks for alarms of one realm: a watcher of it (see `state.realm`). It has a thread while a
    deployment watches alarms, and none else.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._is_working = False
        self._has_complained = False
        self._begun: dict[str, float] = {}
        """When a deployment was first seen, by its id: on the clock that CloudWatch has too."""

    def task_changed(self, realm: Realm, task: Task) -> None:
        pass

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        pass

    def service_changed(self, realm: Realm, service: Service) -> None:
        way = service.current
        if way is None or not _names(way):
            return
        with self._lock:
            self._begun.setdefault(way.id, time.time())
            if not self._is_working:
                self._is_working = True
                threading.Thread(
                    target=self._work, args=(realm,), name="alarms", daemon=True
                ).start()

    def _work(self, realm: Realm) -> None:
        pause = threading.Event()
        while self._goes_on(realm):
            try:
                self._look(realm)
            except EndpointError as error:
                if not self._has_complained:
                    self._has_complained = True
                    _log.warning("%s tells no alarms: %s", self._endpoints.url, error)
            except Exception:
                _log.exception("alarms could not be asked for")
            pause.wait(POLL_SECONDS)

    def _goes_on(self, realm: Realm) -> bool:
        with realm.reading(), self._lock:
            self._is_working = bool(_watching(realm)) and not realm.ended
            if not self._is_working:
                # What was true of an alarm says nothing to the next deployment.
                realm.registered.see_alarms({})
                self._begun.clear()
            return self._is_working

    def _look(self, realm: Realm) -> None:
        with realm.reading():
            wanted: dict[str, set[str]] = {}
            for _, service, way in _watching(realm):
                arn = parse_arn(service.arn)
                wanted.setdefault(arn.region if arn else "", set()).update(_names(way))
        found: dict[str, str] = {}
        since: dict[str, float] = {}
        for region, names in wanted.items():
            for alarm in self._described(region, sorted(names)):
                name = alarm["AlarmName"]
                found[name] = alarm["StateValue"]
                since[name] = alarm["StateUpdatedTimestamp"].timestamp()
        with realm.reading():
            is_new = realm.registered.see_alarms(found)
            ways = _watching(realm)
            states = realm.registered.alarms
            for _, _, way in ways:
                begun = self._begun.get(way.id, 0.0)
                way.ignored_alarms |= {
                    name
                    for name in _names(way)
                    if states.get(name) == ALARM and since.get(name, begun + 1) < begun
                }
        if is_new:
            with realm.changing():
                for cluster, service, _ in ways:
                    realm.touch_service(cluster, service)

    def _described(self, region: str, names: list[str]) -> Iterator[Structure]:
        """:raises EndpointError: it was refused, or there was no answer."""
        for start in range(0, len(names), BATCH):
            answer = self._endpoints.call(
                "cloudwatch",
                region,
                "describe_alarms",
                AlarmNames=names[start : start + BATCH],
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
            yield from answer.get("MetricAlarms", ())
            yield from answer.get("CompositeAlarms", ())


def _watching(realm: Realm) -> list[tuple[Cluster, Service, ServiceDeployment]]:
    """The services whose deployments watch alarms."""
    return [
        (cluster, service, service.current)
        for cluster, service in realm.services()
        if service.current is not None and _names(service.current)
    ]


def _names(way: ServiceDeployment | None) -> list[str]:
    alarms: Structure = way.configuration.get("alarms", {}) if way else {}
    return list(alarms.get("alarmNames", ())) if alarms.get("enable") else []
