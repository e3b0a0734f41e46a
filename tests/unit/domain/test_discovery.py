"""Names of services, and whose turn it is to serve."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.discovery import Turns
from kecs_server.domain.discovery import connect_endpoints
from kecs_server.domain.discovery import is_host
from kecs_server.domain.discovery import registries_of
from kecs_server.domain.discovery import registry_endpoints
from kecs_server.domain.service import Service
from kecs_server.domain.task import Health
from kecs_server.domain.task import Status
from kecs_server.domain.task import Task
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.state.discovery import Discovery
from made_tasks import made_task

PREFIX = "arn:aws:ecs:us-east-1:123456789012:"
NAMESPACE = "arn:aws:servicediscovery:us-east-1:123456789012:namespace/ns-1"
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
PORTS = [
    {"containerPort": 80, "protocol": "tcp", "name": "http"},
    {"containerPort": 53, "protocol": "udp"},
    {"containerPortRange": "90-91", "protocol": "tcp"},
]


def service(name: str = "s", namespace: str | None = NAMESPACE, **settings: Any) -> Service:
    containers = [
        {"name": "app", "image": "i", "portMappings": PORTS},
        {"name": "other", "image": "i", "portMappings": [{"containerPort": 81, "protocol": "tcp"}]},
    ]
    definition = TaskDefinition(
        arn=PREFIX + "task-definition/f:1",
        family="f",
        revision=1,
        body={"containerDefinitions": containers},
        compatibilities=["EC2"],
        requires_attributes=[],
        registered_at=0.0,
        registered_by="me",
    )
    made = Service(
        name=name,
        arn=f"{PREFIX}service/default/{name}",
        cluster_arn=PREFIX + "cluster/default",
        created_at=0.0,
        created_by="me",
        desired_count=1,
        scheduling_strategy="REPLICA",
        deployment_configuration={"minimumHealthyPercent": 100, "maximumPercent": 200},
        request={},
        settings={},
    )
    made.deployments.append(
        Deployment(
            number="1",
            task_definition=definition,
            created_at=0.0,
            updated_at=0.0,
            settings=settings,
            namespace=namespace,
        )
    )
    return made


def connect(alias: dict[str, Any] | None, **members: Any) -> dict[str, Any]:
    aliases = [alias] if alias else []
    each = {"portName": "http", "clientAliases": aliases, **members}
    return {"serviceConnectConfiguration": {"enabled": True, "services": [each]}}


def started(revision: str | None) -> Task:
    task = made_task({"containerDefinitions": [{"name": "app", "image": "i", "memory": 64}]})
    task.started_by = revision and f"ecs-svc/{revision}"
    return task


def names(endpoints: Any) -> list[str]:
    return [f"{each.host}:{each.port}" for each in endpoints]


@pytest.mark.parametrize(
    ("settings", "namespace", "found"),
    [
        (connect({"port": 9, "dnsName": "db"}), "internal", ["db:9"]),
        (connect({"port": 9}), "internal", ["http.internal:9"]),
        (connect({"port": 9}, discoveryName="d"), "internal", ["d.internal:9"]),
        (connect({"port": 9}), "my apps", []),
        (connect(None), "internal", []),
    ],
)
def test_names_of_service_connect(
    settings: dict[str, Any], namespace: str, found: list[str]
) -> None:
    endpoints = list(connect_endpoints(service(**settings), namespace))
    assert names(endpoints) == found
    for each in endpoints:
        assert each.place(each.definition) == ("app", 80)


@pytest.mark.parametrize(
    ("registry", "found"),
    [
        ({}, ["h:80", "h:90", "h:91", "h:81"]),
        ({"port": 81}, ["h:81"]),
        ({"containerName": "app", "containerPort": 91}, ["h:91"]),
        ({"containerName": "app", "containerPort": 53}, []),
    ],
)
def test_names_of_cloud_map(registry: dict[str, Any], found: list[str]) -> None:
    made = service(serviceRegistries=[{"registryArn": REGISTRY, **registry}])
    [(deployment, said)] = registries_of(made)
    endpoints = list(registry_endpoints(made, deployment, said, "h"))
    assert names(endpoints) == found
    assert all(each.place(each.definition) for each in endpoints)


def test_what_a_host_is_called() -> None:
    assert all(map(is_host, ("db", "_a.b-c", "x" * 127)))
    assert not any(map(is_host, ("a\n1.2.3.4 b", "a b", "-a", "", "x" * 128)))


def test_who_finds_what() -> None:
    discovery = Discovery()
    server = service("server", **connect({"port": 9, "dnsName": "server"}))
    elsewhere = service("elsewhere", "arn:x", **connect({"port": 9, "dnsName": "elsewhere"}))
    db = service("db", None, serviceRegistries=[{"registryArn": REGISTRY, "port": 80}])
    for each in (server, elsewhere, db):
        discovery.note(each)

    def found(of: Service | None, db: str | None = None) -> list[str]:
        task = started("1" if of else None)
        known = {REGISTRY: db} if db else {}
        return names(discovery.endpoints(task, of, known))

    assert found(server) == ["server:9"]
    assert found(server, db="db.internal") == ["server:9", "db.internal:80"]
    assert found(None, db="db.internal") == found(db, db="db.internal") == ["db.internal:80"]
    db.status = server.status = "DRAINING"
    assert found(server, db="db.internal") == []
    discovery.forget(server)
    assert list(discovery.in_namespace(NAMESPACE)) == []
    assert [each.name for each in discovery.in_namespace("arn:x")] == ["elsewhere"]


def running(count: int, revision: str = "1") -> list[Task]:
    tasks = []
    for _ in range(count):
        task = started(revision)
        task.last_status = Status.RUNNING
        tasks.append(task)
    return tasks


def test_tasks_take_turns() -> None:
    turns, tasks = Turns(), running(3)
    made = service()
    firsts = [turns.order(made, tasks)[0].id for _ in range(6)]
    assert firsts == [task.id for task in tasks] * 2
    tasks[0].desired_status = "STOPPED"
    tasks[1].last_status = Status.PENDING
    assert turns.order(made, tasks) == tasks[2:]
    tasks[2].containers[0].definition["healthCheck"] = {"command": ["CMD", "x"]}
    tasks[2].containers[0].health = Health(due_at=0, grace_until=0, pause=1, status="UNHEALTHY")
    assert turns.order(made, tasks) == tasks[2:], "nobody else is there"
    assert turns.order(made, []) == []


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (5.0, 5), (12.5, 12), (100.0, 100)])
def test_revisions_have_their_weight(
    share: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kecs_server.domain.deploying.weights",
        lambda service, kind: {"1": 100.0 - share, "2": share},
    )
    turns, tasks = Turns(), running(2, "1") + running(2, "2")
    firsts = Counter(turns.order(service(), tasks)[0].started_by for _ in range(100))
    assert firsts["ecs-svc/2"] == expected
    assert firsts["ecs-svc/1"] == 100 - expected
