"""What tasks find by name: services of Service Connect and of Cloud Map (ecs-facts 7.9)."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
NAMES = "internal"

SERVER = """
import os, socket
with socket.create_server((os.environ["KECS_HOST"], int(os.environ["KECS_PORT_8080"]))) as server:
    while True:
        peer, _ = server.accept()
        peer.sendall(os.environ["ECS_CONTAINER_METADATA_URI_V4"].encode()
                     if os.environ.get("WHO") == "me" else os.environ["WHO"].encode())
        peer.close()
"""

CLIENT = """
import os, socket, sys, time
host, _, port = os.environ["{variable}"].rpartition(":")
answers = set()
deadline = time.monotonic() + 20
while len(answers) < {count} and time.monotonic() < deadline:
    try:
        with socket.create_connection((host, int(port)), 5) as peer:
            said = b"".join(iter(lambda: peer.recv(99), b"")).decode()
            if said:
                answers.add(said)
    except OSError:
        pass
    time.sleep(0.02)
print(host, *sorted(answers), flush=True)
"""


@pytest.fixture
def run_python(ecs_client: Any, python: tuple[str, str]) -> Any:
    """Register a family whose one container runs a program."""
    image, interpreter = python

    def define(family: str, program: str, who: str = "", **mapping: Any) -> str:
        container = {
            "name": "app",
            "image": image,
            "memory": 64,
            "command": [interpreter, "-c", program],
            "environment": [{"name": "WHO", "value": who}] if who else [],
            "portMappings": [{"containerPort": 8080, **mapping}] if mapping else [],
        }
        ecs_client.register_task_definition(
            family=family, containerDefinitions=[container], networkMode="awsvpc"
        )
        return family

    return define


VPC = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def told(kecs: Kecs, task: Any) -> list[str]:
    kecs.assert_stopped(task, exit_code=0)
    return kecs.logs(task).split()


def test_a_service_of_service_connect(
    kecs: Kecs, ecs_client: Any, run_python: Any, network: str
) -> None:
    ecs_client.create_cluster(serviceConnectDefaults={"namespace": NAMES})
    alias = {"port": 9090, "dnsName": "backend"}
    ecs_client.create_service(
        serviceName="backend",
        taskDefinition=run_python("backend", SERVER, who="v1", name="main"),
        desiredCount=2,
        networkConfiguration=VPC,
        serviceConnectConfiguration={
            "enabled": True,
            "services": [{"portName": "main", "clientAliases": [alias]}],
        },
    )
    kecs.wait_stable("backend")
    variable = "KECS_CONNECT_BACKEND_9090"
    ecs_client.create_service(
        serviceName="client",
        taskDefinition=run_python("client", CLIENT.format(variable=variable, count=1)),
        desiredCount=1,
        networkConfiguration=VPC,
        serviceConnectConfiguration={"enabled": True},
    )
    event = kecs.wait_for_event(
        "ECS Task State Change", detail={"group": "service:client", "lastStatus": "STOPPED"}
    )
    host, *answers = told(kecs, event.detail)
    assert answers == ["v1"]
    assert host == ("127.0.0.1" if network == "machine" else "backend")
    # Who is not in the namespace finds nothing.
    alone = kecs.run_task(
        run_python("alone", f"import os; print('{variable}' in os.environ)"),
        networkConfiguration=VPC,
    )
    assert told(kecs, alone) == ["False"]


def test_a_service_of_cloud_map(kecs: Kecs, ecs_client: Any, run_python: Any, network: str) -> None:
    kecs.set_registry(REGISTRY, "db.internal")
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="db",
        taskDefinition=run_python("db", SERVER, who="me", name="main"),
        desiredCount=2,
        networkConfiguration=VPC,
        serviceRegistries=[
            {"registryArn": REGISTRY, "containerName": "app", "containerPort": 8080}
        ],
    )
    kecs.wait_stable("db")
    # It maps the port itself, and yet finds the other's.
    client = run_python(
        "client",
        CLIENT.format(variable="KECS_CONNECT_DB_INTERNAL_8080", count=2),
        name="main",
    )
    task = kecs.run_task(client, networkConfiguration=VPC)
    host, *answers = told(kecs, task)
    assert len(answers) == 2
    assert host == ("127.0.0.1" if network == "machine" else "db.internal")


def test_task_sets_of_cloud_map(kecs: Kecs, ecs_client: Any, run_python: Any, network: str) -> None:
    kecs.set_registry(REGISTRY, "db.internal")
    ecs_client.create_cluster()
    ecs_client.create_service(
        serviceName="db", desiredCount=1, deploymentController={"type": "EXTERNAL"}
    )
    for version in ("v1", "v2"):
        ecs_client.create_task_set(
            cluster="default",
            service="db",
            taskDefinition=run_python("db", SERVER, who=version, name="main"),
            networkConfiguration=VPC,
            serviceRegistries=[
                {"registryArn": REGISTRY, "containerName": "app", "containerPort": 8080}
            ],
            scale={"unit": "PERCENT", "value": 100},
        )
    kecs.wait_stable("db")
    variable = "KECS_CONNECT_DB_INTERNAL_8080"
    client = run_python("client", CLIENT.format(variable=variable, count=2))
    host, *answers = told(kecs, kecs.run_task(client, networkConfiguration=VPC))
    assert answers == ["v1", "v2"]
    assert host == ("127.0.0.1" if network == "machine" else "db.internal")
