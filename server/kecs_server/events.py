"""What changes in a realm, as ECS's life-cycle events (ecs-facts 18).

The one place where events are made: the test reads them from the realm's `EventLog`, and
`aws.events` sends the same ones to EventBridge.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import Any

from kecs_server.domain.arns import new_uuid
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.events import INSTANCE_STATE
from kecs_server.domain.events import SERVICE_ACTION
from kecs_server.domain.events import TASK_STATE
from kecs_server.domain.events import Event
from kecs_server.domain.events import Notice
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.task import Task
from kecs_server.operations.instance_views import instance_view
from kecs_server.operations.views import task_view
from kecs_server.state.realm import Realm

Structure = dict[str, Any]
Sink = Callable[[Event], None]

_ATTACHMENT_TYPES = {"ElasticNetworkInterface": "eni"}
"""Of the API -> of events (ecs-facts 6.4), where they differ."""


class Recorder:
    """Makes the events of one realm: a watcher of it (see `state.realm`).

    A task's event shows the task as it is when the change is published; states through which it
    passes in one step have no event of their own.

    :param sinks: get each event in its order, under the realm's lock: they must not wait.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def task_changed(self, realm: Realm, task: Task) -> None:
        """One event for each change of lastStatus, desiredStatus or a container's status."""
        containers = tuple(container.last_status for container in task.containers)
        now_told = (task.last_status, task.desired_status, containers)
        if task.told == now_told:
            return
        task.told = now_told
        now = realm.clock.now()
        self._record(TASK_STATE, task.arn, task_detail(task, now), now)

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        """One event for each change that counts in its version."""
        if instance.told_version == instance.version:
            return
        instance.told_version = instance.version
        now = realm.clock.now()
        self._record(INSTANCE_STATE, instance.arn, instance_detail(instance, now), now)

    def service_changed(self, realm: Realm, service: Service) -> None:
        """What it and its deployments have given notice of."""
        for notice in service.notices:
            detail = notice_detail(service, notice)
            self._record(notice.detail_type, service.arn, detail, notice.at)

    def _record(self, kind: str, arn: str, detail: Structure, now: float) -> None:
        parsed = parse_arn(arn)
        assert parsed is not None
        event = Event(
            id=new_uuid(),
            at=now,
            detail_type=kind,
            account=parsed.account,
            region=parsed.region,
            resources=(arn,),
            detail=json.dumps(detail, ensure_ascii=False),
        )
        for sink in self._sinks:
            sink(event)


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


def instance_detail(instance: ContainerInstance, now: float) -> Structure:
    """The instance as DescribeContainerInstances gives it, and whose it is."""
    arn = parse_arn(instance.arn)
    assert arn is not None
    return {
        **_dated(instance_view(instance)),
        "clusterArn": instance.cluster_arn,
        "accountId": arn.account,
        "updatedAt": iso(now),
    }


def notice_detail(service: Service, notice: Notice) -> Structure:
    names = {"eventType": notice.event_type, "eventName": notice.name}
    if notice.detail_type == SERVICE_ACTION:
        made = {"clusterArn": service.cluster_arn, "createdAt": iso(notice.at)}
        return {**names, **made, **notice.more}
    return {**names, **notice.more, "updatedAt": iso(notice.at)}


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
