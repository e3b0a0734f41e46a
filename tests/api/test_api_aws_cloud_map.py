"""Tasks of services as instances in Cloud Map (moto's server)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import container
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import seen
from api_steps import wait_stable
from api_steps import wait_stopped
from moto_server import Moto
from service_steps import create

from pytest_kecs.admin import AdminClient
from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

PATIENCE = 20.0
PORTS = [{"containerPort": 8080, "name": "http"}]
Instances = Callable[[str, int], list[dict[str, str]]]


def until(look: Callable[[], list[Any]]) -> list[Any]:
    """What `look` finds in moto's server, which tells of no change."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def services_in(cloud_map: Any, namespace: str) -> list[Any]:
    known = {each["Name"]: each["Id"] for each in cloud_map.list_namespaces()["Namespaces"]}
    services = [
        cloud_map.get_service(Id=each["Id"])["Service"]
        for each in cloud_map.list_services()["Services"]
    ]
    return [each for each in services if each["NamespaceId"] == known.get(namespace)]


@pytest.fixture
def cloud_map(moto: Moto) -> Any:
    return moto.client("servicediscovery")


@pytest.fixture
def instances(cloud_map: Any) -> Instances:
    """The attributes of a service's instances, once there are so many."""

    def instances(service: str, count: int) -> list[dict[str, str]]:
        def found() -> Any:
            listed = cloud_map.list_instances(ServiceId=service)["Instances"]
            return [listed] if len(listed) == count else []

        [listed] = until(found)
        return [{"id": each["Id"], **each["Attributes"]} for each in listed]

    return instances


@pytest.fixture
def registry(cloud_map: Any) -> dict[str, str]:
    """A service `db` in a namespace of its own."""
    name = f"n{uuid.uuid4().hex[:8]}.internal"
    cloud_map.create_private_dns_namespace(Name=name, Vpc=name)
    [namespace] = [
        each for each in cloud_map.list_namespaces()["Namespaces"] if each["Name"] == name
    ]
    service = cloud_map.create_service(Name="db", NamespaceId=namespace["Id"])["Service"]
    return {"arn": service["Arn"], "id": service["Id"], "host": f"db.{name}"}


def test_instances_of_a_registry(
    rest: Any, registry: dict[str, str], instances: Instances, admin: AdminClient
) -> None:
    made = create(
        rest,
        taskDefinition=register_fargate(rest),
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        serviceRegistries=[{"registryArn": registry["arn"]}],
    )
    wait_stable(rest, "s")
    found = instances(registry["id"], 2)
    tasks = rest.list_tasks(serviceName="s")["taskArns"]
    described = rest.describe_tasks(tasks=tasks)["tasks"]
    addresses = {
        each["taskArn"].rpartition("/")[2]: each["containers"][0]["networkInterfaces"][0][
            "privateIpv4Address"
        ]
        for each in described
    }
    assert {each["id"]: each["AWS_INSTANCE_IPV4"] for each in found} == addresses
    for each in found:
        assert (each["ECS_CLUSTER_NAME"], each["ECS_SERVICE_NAME"]) == ("default", "s")
        assert each["AWS_INIT_HEALTH_STATUS"] == "HEALTHY"
        assert "AWS_INSTANCE_PORT" not in each
    rest.update_service(service=made["serviceArn"], desiredCount=1)
    [left] = instances(registry["id"], 1)
    seen(admin, lambda: len(rest.list_tasks(serviceName="s")["taskArns"]) == 1)
    assert rest.list_tasks(serviceName="s")["taskArns"][0].endswith(left["id"])
    admin.end_realm()
    assert instances(registry["id"], 0) == []


def test_the_port_of_the_host_and_the_name(
    rest: Any, registry: dict[str, str], instances: Instances, admin: AdminClient
) -> None:
    create(
        rest,
        taskDefinition=register(rest, "web", container(portMappings=PORTS)),
        serviceRegistries=[
            {"registryArn": registry["arn"], "containerName": "app", "containerPort": 8080}
        ],
    )
    wait_stable(rest, "s")
    [found] = instances(registry["id"], 1)
    [arn] = rest.list_tasks(serviceName="s")["taskArns"]
    [described] = rest.describe_tasks(tasks=[arn])["tasks"]
    [binding] = described["containers"][0]["networkBindings"]
    assert found["AWS_INSTANCE_PORT"] == str(binding["hostPort"])
    register(rest, "client", container(command=["sh", "-c", "env"]))
    client = run(rest, "client")["taskArn"]
    wait_stopped(rest, client)
    variable = "KECS_CONNECT_" + registry["host"].replace(".", "_").upper() + "_8080=127.0.0.1:"
    assert variable in Kecs(rest, admin).logs(client)
    admin.reset()
    assert instances(registry["id"], 0) == []


def test_services_of_service_connect_are_made(
    rest: Any, cloud_map: Any, instances: Instances
) -> None:
    namespace = f"n{uuid.uuid4().hex[:8]}"
    create(
        rest,
        taskDefinition=register(rest, "web", container(portMappings=PORTS)),
        serviceConnectConfiguration={
            "enabled": True,
            "namespace": namespace,
            "services": [{"portName": "http", "discoveryName": "backend"}],
        },
    )
    wait_stable(rest, "s")
    [service] = until(lambda: services_in(cloud_map, namespace))
    assert service["Name"] == "backend"
    [instance] = instances(service["Id"], 1)
    assert instance["ECS_TASK_DEFINITION_FAMILY"] == "web"
    rest.delete_service(service="s", force=True)
    instances(service["Id"], 0)


def test_instances_of_a_task_set(rest: Any, registry: dict[str, str], instances: Instances) -> None:
    rest.create_service(serviceName="s", desiredCount=2, deploymentController={"type": "EXTERNAL"})
    made = rest.create_task_set(
        cluster="default",
        service="s",
        taskDefinition=register_fargate(rest),
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        serviceRegistries=[{"registryArn": registry["arn"]}],
        scale={"value": 50, "unit": "PERCENT"},
    )["taskSet"]
    [found] = instances(registry["id"], 1)
    [arn] = rest.list_tasks(startedBy=made["id"])["taskArns"]
    assert arn.endswith(found["id"])
    rest.delete_task_set(cluster="default", service="s", taskSet=made["id"], force=True)
    assert instances(registry["id"], 0) == []
