"""Life-cycle events to EventBridge, in ECS's shapes (ecs-facts 18)."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from typing import Any

from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.operations.instance_views import instance_view
from kecs_server.operations.views import task_view
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

_log = logging.getLogger(__name__)

BATCH = 10
"""Entries that PutEvents takes at once."""

MAX_WAITING = 10_000
"""Events that wait for a slow endpoint; older ones are dropped."""

FLUSH_SECONDS = 2.0
"""How long the server's end waits for events to be delivered."""

_ATTACHMENT_TYPES = {"ElasticNetworkInterface": "eni"}
"""Of the API -> of events (ecs-facts 6.4), where they differ."""

_ROLLOUTS = {
    "IN_PROGRESS": ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
    "COMPLETED": ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
    "FAILED": ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
}


@dataclass(frozen=True, slots=True)
class _Event:
    endpoints: Endpoints
    region: str
    entry: Structure


@dataclass(slots=True)
class _SeenService:
    is_steady: bool = False
    rollouts: dict[str, str] = field(default_factory=dict)


class Events:
    """Sends what changes in one realm: a watcher of it (see `state.realm`).

    A task's event shows the task as it is when the change is published; states through which it
    passes in one step have no event of their own.
    """

    def __init__(self, sender: Sender, endpoints: Endpoints) -> None:
        self._sender = sender
        self._endpoints = endpoints
        self._tasks: dict[str, tuple[Any, ...]] = {}
        self._services: dict[str, _SeenService] = {}
        self._instances: dict[str, int] = {}

    def task_changed(self, realm: Realm, task: Task) -> None:
        """One event for each change of lastStatus, desiredStatus or a container's status."""
        containers = tuple(container.last_status for container in task.containers)
        seen = (task.last_status, task.desired_status, containers)
        before = self._tasks.get(task.id)
        if before == seen or (before is None and task.is_stopped):
            return
        self._tasks[task.id] = seen
        if task.is_stopped:
            del self._tasks[task.id]
        now = realm.clock.now()
        self._send("ECS Task State Change", task.arn, task_detail(task, now), now)

    def service_changed(self, realm: Realm, service: Service) -> None:
        """Deployments that began, ended or failed, and the steady state when it is reached."""
        seen = self._services.setdefault(service.arn, _SeenService())
        now = realm.clock.now()
        for deployment in reversed(service.deployments):
            state = deployment.rollout_state
            if seen.rollouts.get(deployment.id) != state and state in _ROLLOUTS:
                seen.rollouts[deployment.id] = state
                kind, name = _ROLLOUTS[state]
                detail = {
                    "eventType": kind,
                    "eventName": name,
                    "deploymentId": deployment.id,
                    "updatedAt": iso(deployment.updated_at),
                    "reason": deployment.rollout_reason,
                }
                self._send("ECS Deployment State Change", service.arn, detail, now)
        if service.is_steady and not seen.is_steady:
            detail = {
                "eventType": "INFO",
                "eventName": "SERVICE_STEADY_STATE",
                "clusterArn": service.cluster_arn,
                "createdAt": iso(now),
            }
            self._send("ECS Service Action", service.arn, detail, now)
        seen.is_steady = service.is_steady

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        """One event for each change that counts in its version."""
        if self._instances.get(instance.arn) == instance.version:
            return
        self._instances[instance.arn] = instance.version
        now = realm.clock.now()
        view = instance_view(instance)
        detail = {**_dated(view), "clusterArn": instance.cluster_arn, "updatedAt": iso(now)}
        self._send("ECS Container Instance State Change", instance.arn, detail, now)

    def _send(self, kind: str, arn: str, detail: Structure, now: float) -> None:
        parsed = parse_arn(arn)
        assert parsed is not None
        entry = {
            "Time": datetime.fromtimestamp(now, UTC),
            "Source": "aws.ecs",
            "Resources": [arn],
            "DetailType": kind,
            "Detail": json.dumps(detail, ensure_ascii=False),
        }
        self._sender.put(_Event(self._endpoints, parsed.region, entry))


def task_detail(task: Task, now: float) -> Structure:
    """The task as DescribeTasks gives it, in the dialect of events."""
    detail: Structure = _dated(task_view(task, with_tags=False))
    del detail["healthStatus"]
    detail["updatedAt"] = iso(now)
    detail["attachments"] = [
        {**each, "type": _ATTACHMENT_TYPES.get(each["type"], each["type"])}
        for each in detail["attachments"]
    ]
    detail["containers"] = [
        {name: value for name, value in each.items() if name != "healthStatus"}
        for each in detail["containers"]
    ]
    return detail


def iso(seconds: float) -> str:
    """`2026-01-31T12:00:00.123Z`."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _dated(value: Any) -> Any:
    """Every time in the structure as text."""
    if isinstance(value, list):
        return [_dated(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: iso(each) if name.endswith("At") and isinstance(each, float) else _dated(each)
        for name, each in value.items()
    }


class Sender:
    """One queue and one thread, begun with the first event: events arrive in their order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Event] = deque(maxlen=MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False
        self._complained: set[str] = set()

    def put(self, event: _Event) -> None:
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

    def _next(self) -> list[_Event]:
        """Events that go to one place; none at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            self._busy = True
            return list(self._taken())

    def _taken(self) -> Iterator[_Event]:
        first = self._waiting[0]
        for _ in range(BATCH):
            if not self._waiting or _place(self._waiting[0]) != _place(first):
                return
            yield self._waiting.popleft()

    def _deliver(self, batch: list[_Event]) -> None:
        endpoints, region = _place(batch[0])
        try:
            entries = [event.entry for event in batch]
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


def _place(event: _Event) -> tuple[Endpoints, str]:
    return event.endpoints, event.region
