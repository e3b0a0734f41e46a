"""Instances of tasks in an endpoint that is slow, throttles or refuses."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from kecs_server.aws import cloud_map
from kecs_server.aws.cloud_map import CloudMap
from kecs_server.aws.endpoints import EndpointError
from kecs_server.aws.endpoints import Endpoints
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.service import Service
from kecs_server.domain.task import Health
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.state.realm import Realm
from made_tasks import made_task

PREFIX = "arn:aws:ecs:us-east-1:123456789012:"
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
SECONDS = 10.0


class Endpoint(Endpoints):
    """Answers calls of instances, refuses those that `refusals` has a code for, once each."""

    def __init__(self, *refusals: tuple[str, str]) -> None:
        super().__init__("http://127.0.0.1:9")
        self._refusals = list(refusals)
        self._changed = threading.Condition()
        self.calls: list[tuple[str, str]] = []

    def call(self, service: str, region: str, operation: str, **params: Any) -> Any:
        if operation == "get_service":
            return {"Service": {"Name": "db", "NamespaceId": "ns-1"}}
        if operation == "get_namespace":
            return {"Namespace": {"Name": "internal"}}
        with self._changed:
            if self._refusals and self._refusals[0][0] == operation:
                _, code = self._refusals.pop(0)
                raise EndpointError(f"{code}: no", code=code)
            self.calls.append((operation, params.get("Status", "")))
            self._changed.notify_all()
            return {}

    def wait(self, count: int) -> list[tuple[str, str]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, SECONDS)
            return list(self.calls)


class World:
    """A service of one task that runs, in a realm with this endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.realm = Realm(id="r", name="n", engine="process", images={}, wake=lambda realm: None)
        self.cloud_map = CloudMap(lambda realm: endpoint)
        self.realm.watchers.append(self.cloud_map)
        self.cluster = Cluster(name="c", arn=PREFIX + "cluster/c", settings=[], request={})
        self.realm.store("123456789012", "us-east-1").clusters["c"] = self.cluster
        self.task = self._task()
        self.service = Service(
            name="s",
            arn=PREFIX + "service/c/s",
            cluster_arn=self.cluster.arn,
            created_at=0.0,
            created_by="me",
            desired_count=1,
            scheduling_strategy="REPLICA",
            deployment_configuration={},
            request={},
            settings={},
        )
        self.service.deployments.append(
            Deployment(
                number="1",
                task_definition=self.task.task_definition,
                created_at=0.0,
                updated_at=0.0,
                settings={"serviceRegistries": [{"registryArn": REGISTRY, "port": 80}]},
            )
        )
        self.cluster.services["s"] = self.service

    def _task(self) -> Task:
        task = made_task(
            {
                "containerDefinitions": [
                    {
                        "name": "app",
                        "image": "i",
                        "memory": 64,
                        "essential": True,
                        "healthCheck": {"command": ["CMD", "x"]},
                    }
                ]
            }
        )
        task.arn = f"{PREFIX}task/c/{task.id}"
        task.cluster_arn = self.cluster.arn
        task.service_name, task.started_by = "s", "ecs-svc/1"
        task.last_status = Status.RUNNING
        return task

    def check(self, status: str) -> None:
        [container] = self.task.containers
        container.health = Health(due_at=0, grace_until=0, pause=1, status=status)
        self.tell()

    def tell(self) -> None:
        with self.realm.changing():
            self.cloud_map.task_changed(self.realm, self.task)


def test_a_task_is_registered_once_and_its_health_is_told() -> None:
    endpoint = Endpoint()
    world = World(endpoint)
    for status in ("UNKNOWN", "HEALTHY", "HEALTHY", "UNHEALTHY"):
        world.check(status)
    world.task.desired_status = "STOPPED"
    world.tell()
    world.tell()
    assert endpoint.wait(4) == [
        ("register_instance", ""),
        ("update_instance_custom_health_status", "HEALTHY"),
        ("update_instance_custom_health_status", "UNHEALTHY"),
        ("deregister_instance", ""),
    ]
    world.cloud_map.close()


def test_what_is_throttled_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_map, "RETRY_SECONDS", 0.0)
    endpoint = Endpoint(
        ("register_instance", "ThrottlingException"),
        ("update_instance_custom_health_status", "CustomHealthNotFound"),
        ("deregister_instance", "RequestLimitExceeded"),
    )
    world = World(endpoint)
    world.check("HEALTHY")
    world.check("UNHEALTHY")
    world.cloud_map.end(world.realm)
    assert [name for name, _ in endpoint.wait(2)] == ["register_instance", "deregister_instance"]
    world.cloud_map.close()
    assert world.realm.registered.registries == {REGISTRY: "db.internal"}
    told = [event.message for event in world.service.events]
    assert told == ["(service s) operations are being throttled. Will try again later."]


def test_an_endpoint_without_cloud_map(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(*[("register_instance", "UnknownOperation")] * 2)
    world = World(endpoint)
    world.tell()
    world.cloud_map.end(world.realm)
    world.tell()
    world.cloud_map.close()
    assert endpoint.calls == []
    assert caplog.text.count("takes no instances for Cloud Map: UnknownOperation: no") == 1
