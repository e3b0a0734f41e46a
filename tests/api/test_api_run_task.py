"""RunTask: its answers, strategies, client tokens, tags (ecs-facts 5)."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stopped
from botocore.exceptions import ClientError

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.captured

INVALID = "InvalidParameterException"
CLIENT = "ClientException"
TAGS = [{"key": "a", "value": "b"}]


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app, far and old (INACTIVE)."""
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    register(cluster, "old")
    cluster.deregister_task_definition(taskDefinition="old:1")
    return cluster


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_first_answer(app: Any) -> None:
    arn = app.describe_clusters()["clusters"][0]["clusterArn"]
    answer = app.run_task(taskDefinition="app")
    assert answer["failures"] == []
    (started,) = answer["tasks"]
    identifier = started["taskArn"].rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{32}", identifier)
    assert started["taskArn"] == f"arn:aws:ecs:us-east-1:123456789012:task/default/{identifier}"
    assert started["clusterArn"] == arn
    assert started["taskDefinitionArn"].endswith(":task-definition/app:1")
    assert (started["lastStatus"], started["desiredStatus"]) == ("PENDING", "RUNNING")
    assert started["group"] == "family:app"
    assert started["launchType"] == "EC2"
    assert started["version"] == 1
    assert started["overrides"] == {
        "containerOverrides": [{"name": "app"}],
        "inferenceAcceleratorOverrides": [],
    }
    assert started["tags"] == []
    assert ":container-instance/default/" in started["containerInstanceArn"]
    for absent in ("startedBy", "stopCode", "startedAt", "stoppedAt", "platformVersion"):
        assert absent not in started
    (described,) = started["containers"]
    assert described["lastStatus"] == "PENDING"
    assert (described["cpu"], described["memory"]) == ("0", "64")
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.search(f":container/default/{identifier}/{uuid}$", described["containerArn"])


def test_first_answer_on_fargate(app: Any) -> None:
    started = run(app, "far", launchType="FARGATE", networkConfiguration=NETWORK)
    assert (started["lastStatus"], started["launchType"]) == ("PROVISIONING", "FARGATE")
    assert (started["cpu"], started["memory"]) == ("256", "512")
    assert (started["platformVersion"], started["platformFamily"]) == ("1.4.0", "Linux")
    assert started["ephemeralStorage"] == {"sizeInGiB": 20}
    assert "containerInstanceArn" not in started
    (attachment,) = started["attachments"]
    assert attachment["type"] == "ElasticNetworkInterface"
    assert attachment["status"] == "PRECREATED"
    assert attachment["details"] == [{"name": "subnetId", "value": "subnet-1"}]
    wait_running(app, started["taskArn"])
    described = task(app, started["taskArn"])
    assert described["attachments"][0]["status"] == "ATTACHED"
    assert described["connectivity"] == "CONNECTED"


@pytest.mark.documented
def test_count(app: Any) -> None:
    answer = app.run_task(taskDefinition="app", count=10, group="batch", startedBy="x" * 128)
    assert len({item["taskArn"] for item in answer["tasks"]}) == 10
    assert {item["group"] for item in answer["tasks"]} == {"batch"}
    assert {item["startedBy"] for item in answer["tasks"]} == {"x" * 128}


@pytest.mark.documented
def test_strategy(app: Any) -> None:
    strategy = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 2},
    ]
    app.put_cluster_capacity_providers(
        cluster="default",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )
    answer = app.run_task(
        taskDefinition="far",
        count=7,
        capacityProviderStrategy=strategy,
        networkConfiguration=NETWORK,
    )
    names = [item["capacityProviderName"] for item in answer["tasks"]]
    assert (names.count("FARGATE"), names.count("FARGATE_SPOT")) == (3, 4)
    assert {item["launchType"] for item in answer["tasks"]} == {"FARGATE"}


def test_token(app: Any) -> None:
    first = run(app, "app", clientToken="t", count=1)
    assert run(app, "app", clientToken="t", count=1)["taskArn"] == first["taskArn"]
    wait_running(app, first["taskArn"])
    # The tasks come back as they are now.
    assert run(app, "app", clientToken="t", count=1)["lastStatus"] == "RUNNING"
    assert len(app.list_tasks()["taskArns"]) == 1
    assert run(app, "app", clientToken="u", count=1)["taskArn"] != first["taskArn"]


def test_token_of_another_request(app: Any) -> None:
    first = run(app, "app", clientToken="t")
    app.create_cluster(clusterName="other")
    for params in ({"count": 2}, {"cluster": "other"}):
        with pytest.raises(ClientError) as caught:
            app.run_task(taskDefinition="app", clientToken="t", **params)
        answer = caught.value.response
        assert answer["Error"] == {
            "Code": "ConflictException",
            "Message": "The RunTask request could not be processed due to conflicts. The provided "
            "clientToken is already in use with a different request.",
        }
        assert answer["resourceIds"] == [first["taskArn"]]


@pytest.mark.documented
def test_token_is_free_an_hour_after_its_tasks(app: Any, admin: AdminClient) -> None:
    arn = run(app, "app", clientToken="t")["taskArn"]
    app.stop_task(task=arn)
    wait_stopped(app, arn)
    assert run(app, "app", clientToken="t")["taskArn"] == arn
    admin.advance_clock(3601)
    assert len(app.run_task(taskDefinition="app", clientToken="t", count=2)["tasks"]) == 2


@pytest.mark.documented
def test_token_is_free_after_a_day(app: Any, admin: AdminClient) -> None:
    arn = run(app, "app", clientToken="t")["taskArn"]
    admin.advance_clock(24 * 3600 + 1)
    assert run(app, "app", clientToken="t")["taskArn"] != arn


@pytest.mark.documented
def test_tags(app: Any) -> None:
    inherited = [{"key": "a", "value": "of the definition"}, {"key": "c", "value": "d"}]
    register(app, "tagged", tags=inherited)
    assert run(app, "tagged")["tags"] == []
    started = run(
        app, "tagged", tags=TAGS, propagateTags="TASK_DEFINITION", enableECSManagedTags=True
    )
    assert started["tags"] == [
        {"key": "a", "value": "b"},
        {"key": "c", "value": "d"},
        {"key": "aws:ecs:clusterName", "value": "default"},
    ]
    assert task(app, started["taskArn"])["tags"] == started["tags"]
    (described,) = app.describe_tasks(tasks=[started["taskArn"]])["tasks"]
    assert described["tags"] == []


def mapped(*ports: int, **mapping: Any) -> dict[str, Any]:
    mappings = [{"containerPort": 80, "hostPort": port, **mapping} for port in ports]
    return container(command=SLEEP, portMappings=mappings)


@pytest.mark.documented
@pytest.mark.parametrize("port", [22, 2375, 2376, 51678, 51679, 51680])
def test_the_agents_ports_are_taken(app: Any, port: int) -> None:
    register(app, "web", mapped(port))
    answer = app.run_task(taskDefinition="web")
    assert answer["tasks"] == []
    [failure] = answer["failures"]
    assert failure["reason"] == "RESOURCE:PORTS"
    assert failure["arn"] == run(app, "app")["containerInstanceArn"]
    register(app, "dns", mapped(port, protocol="udp"))
    assert app.run_task(taskDefinition="dns")["failures"] == []


@pytest.mark.documented
def test_some_tasks_find_their_port_and_others_do_not(app: Any, free_port: int) -> None:
    """The answer to a repeated request has the failures, too."""
    register(app, "web", mapped(free_port))
    for _ in range(2):
        answer = app.run_task(taskDefinition="web", count=3, clientToken="t")
        assert len(answer["tasks"]) == 1
        assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"] * 2


@pytest.mark.inferred
def test_host_ports_are_a_clusters_own(app: Any, free_port: int) -> None:
    """They are counted by cluster: another has instances of its own."""
    app.create_cluster(clusterName="other")
    register(app, "web", mapped(free_port))
    assert app.run_task(taskDefinition="web")["failures"] == []
    assert app.run_task(taskDefinition="web", cluster="other")["failures"] == []


@pytest.mark.documented
def test_a_stopped_task_has_left_its_port(app: Any, free_port: int) -> None:
    register(app, "web", mapped(free_port))
    arn = run(app, "web")["taskArn"]
    app.stop_task(task=arn)
    wait_stopped(app, arn)
    assert app.run_task(taskDefinition="web")["failures"] == []
