"""Container instances: registered, described, drained, deregistered; their attributes."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import run
from instance_steps import described
from instance_steps import integer
from instance_steps import new_instance

pytestmark = pytest.mark.documented

DOCUMENT = {
    "instanceId": "i-0123456789abcdef0",
    "availabilityZone": "us-east-1b",
    "instanceType": "m5.large",
    "imageId": "ami-12345678",
}
NOWHERE = "0" * 32


@pytest.fixture
def ecs(cluster: Any) -> Any:
    register(cluster, "app", container(command=SLEEP))
    return cluster


def listed(ecs: Any, **params: Any) -> set[str]:
    return set(ecs.list_container_instances(**params)["containerInstanceArns"])


def left(instance: dict[str, Any], name: str = "CPU", of: str = "remainingResources") -> Any:
    [resource] = [each for each in instance[of] if each["name"] == name]
    return (
        resource["stringSetValue"] if resource["type"] == "STRINGSET" else resource["integerValue"]
    )


def attributes(instance: dict[str, Any]) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in instance["attributes"]}


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.captured
def test_a_new_cluster_has_none(ecs: Any) -> None:
    assert listed(ecs) == set()
    [found] = ecs.describe_clusters()["clusters"]
    assert found["registeredContainerInstancesCount"] == 0


@pytest.mark.inferred
def test_the_engines_host_is_there_when_a_task_needs_it(ecs: Any, wait_for: Wait) -> None:
    arn = run(ecs, "app")["containerInstanceArn"]
    assert listed(ecs) == {arn}
    [found] = ecs.describe_clusters()["clusters"]
    assert found["registeredContainerInstancesCount"] == 1
    instance = described(ecs, arn)
    assert (instance["status"], instance["agentConnected"]) == ("ACTIVE", True)
    assert left(instance) == left(instance, of="registeredResources") >= 1024
    assert left(instance, "MEMORY") == left(instance, "MEMORY", "registeredResources") - 64
    assert attributes(instance)["ecs.availability-zone"] == "us-east-1a"
    assert "ecs.capability.task-eni" in attributes(instance)
    # It goes with its cluster.
    for task in ecs.list_tasks()["taskArns"]:
        ecs.stop_task(task=task)
    wait_for(lambda: described(ecs, arn)["pendingTasksCount"] == 0)
    wait_for(lambda: left(described(ecs, arn), "MEMORY") == left(instance, "MEMORY") + 64)
    ecs.delete_cluster(cluster="default")


@pytest.mark.inferred
def test_a_service_has_the_engines_host_too(ecs: Any) -> None:
    ecs.create_service(serviceName="s", taskDefinition="app", desiredCount=1)
    assert len(listed(ecs)) == 1


def test_registered(ecs: Any) -> None:
    tags = [{"key": "a", "value": "b"}]
    instance = new_instance(
        ecs,
        instanceIdentityDocument=json.dumps(DOCUMENT),
        versionInfo={"agentVersion": "1.90.0", "agentHash": "abc", "dockerVersion": "25"},
        attributes=[{"name": "stack", "value": "prod"}],
        platformDevices=[{"id": "gpu-1", "type": "GPU"}],
        tags=tags,
    )
    arn = instance["containerInstanceArn"]
    assert instance["ec2InstanceId"] == DOCUMENT["instanceId"]
    assert instance["versionInfo"]["agentVersion"] == "1.90.0"
    assert (instance["status"], instance["version"]) == ("ACTIVE", 1)
    assert left(instance, "PORTS") == ["22", "2375", "2376", "51678", "51679", "51680"]
    assert left(instance, "GPU") == ["gpu-1"]
    seen = attributes(instance)
    assert seen["stack"] == "prod"
    assert seen["ecs.instance-type"] == "m5.large"
    assert seen["ecs.ami-id"] == "ami-12345678"
    assert seen["ecs.availability-zone"] == "us-east-1b"
    assert instance["tags"] == tags
    assert described(ecs, arn)["tags"] == []
    assert described(ecs, arn, "TAGS")["tags"] == tags
    health = described(ecs, arn, "CONTAINER_INSTANCE_HEALTH")["healthStatus"]
    assert health["overallStatus"] == "OK"
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
    assert len(ecs.list_tags_for_resource(resourceArn=arn)["tags"]) == 2


def test_registered_again_it_is_the_same(ecs: Any) -> None:
    arn = new_instance(ecs, instanceIdentityDocument=json.dumps(DOCUMENT))["containerInstanceArn"]
    ecs.put_attributes(attributes=[{"name": "stack", "value": "prod", "targetId": arn}])
    again = new_instance(
        ecs,
        containerInstanceArn=arn,
        totalResources=[integer("CPU", 512)],
        versionInfo={"agentVersion": "1.91.0"},
    )
    assert again["containerInstanceArn"] == arn
    assert left(again) == 512
    assert attributes(again)["stack"] == "prod"
    assert again["versionInfo"] == {"agentVersion": "1.91.0"}
    code, text = refusal(
        ecs.register_container_instance,
        containerInstanceArn=arn,
        instanceIdentityDocument=json.dumps({**DOCUMENT, "instanceType": "m5.xlarge"}),
    )
    assert code == "ClientException"
    assert text.startswith("Container instance type changes are not supported.")


@pytest.mark.inferred
@pytest.mark.parametrize(
    "params",
    [
        {"instanceIdentityDocument": "no document"},
        {"instanceIdentityDocument": "[]"},
        {"containerInstanceArn": NOWHERE},
        {"attributes": [{"name": "no space", "value": "x"}]},
        {"attributes": [{"name": "x", "value": " y"}]},
        {"attributes": [{"name": "x"}, {"name": "x"}]},
        {"totalResources": [{"name": "CPU", "type": "STRINGSET", "stringSetValue": []}]},
        {"totalResources": [{"name": "CPU", "type": "INTEGER"}]},
        {"totalResources": [integer("CPU", -1)]},
        {"totalResources": [{"name": "PORTS", "type": "INTEGER", "integerValue": 1}]},
    ],
    ids=str,
)
def test_registration_refused(ecs: Any, params: dict[str, Any]) -> None:
    assert refusal(ecs.register_container_instance, **params)[0] == "InvalidParameterException"
    assert listed(ecs) == set()


def test_tasks_of_a_cluster_take_what_its_instances_have(ecs: Any, wait_for: Wait) -> None:
    register(ecs, "big", container(command=SLEEP, cpu=512, memory=256))
    first, second = (new_instance(ecs)["containerInstanceArn"] for _ in range(2))
    answer = ecs.run_task(taskDefinition="big", count=5)
    assert len(answer["tasks"]) == 4
    assert {each["containerInstanceArn"] for each in answer["tasks"]} == {first, second}
    assert answer["failures"] == [{"arn": arn, "reason": "RESOURCE:CPU"} for arn in (first, second)]
    wait_for(lambda: described(ecs, first)["runningTasksCount"] == 2)
    instance = described(ecs, first)
    assert (left(instance), left(instance, "MEMORY")) == (0, 512)
    assert left(instance, of="registeredResources") == 1024
    on_first = ecs.list_tasks(containerInstance=first)["taskArns"]
    assert len(on_first) == 2
    ecs.stop_task(task=on_first[0])
    wait_for(lambda: left(described(ecs, first)) == 512)


def test_host_ports_that_are_taken(ecs: Any, free_port: int) -> None:
    mappings = [{"containerPort": 80, "hostPort": free_port}]
    register(ecs, "web", container(command=SLEEP, portMappings=mappings))
    arn = new_instance(ecs)["containerInstanceArn"]
    run(ecs, "web")
    assert str(free_port) in left(described(ecs, arn), "PORTS")
    assert str(free_port) not in left(described(ecs, arn), "PORTS", "registeredResources")


def test_placement_by_constraints_and_strategy(ecs: Any) -> None:
    first, second = (
        new_instance(ecs, attributes=[{"name": "rack", "value": rack}])["containerInstanceArn"]
        for rack in ("one", "two")
    )
    constraint = {"type": "memberOf", "expression": "attribute:rack == two"}
    assert run(ecs, "app", placementConstraints=[constraint])["containerInstanceArn"] == second
    packed = [{"type": "binpack", "field": "memory"}]
    assert run(ecs, "app", placementStrategy=packed)["containerInstanceArn"] == second
    register(ecs, "bound", container(command=SLEEP), placementConstraints=[constraint])
    elsewhere = {"type": "memberOf", "expression": "attribute:rack =~ one|three"}
    assert run(ecs, "bound")["containerInstanceArn"] == second
    answer = ecs.run_task(taskDefinition="bound", placementConstraints=[elsewhere])
    assert answer["failures"] == [
        {"arn": arn, "reason": "MemberOf placement constraint unsatisfied."}
        for arn in (first, second)
    ]
    answer = ecs.run_task(
        taskDefinition="app",
        count=3,
        placementConstraints=[{"type": "distinctInstance"}],
        group="g",
    )
    assert {each["containerInstanceArn"] for each in answer["tasks"]} == {first, second}
    assert {each["reason"] for each in answer["failures"]} == {
        "DistinctInstance placement constraint unsatisfied."
    }


@pytest.mark.inferred
def test_an_expression_that_is_none(ecs: Any) -> None:
    broken = [{"type": "memberOf", "expression": "attribute:rack == "}]
    for call, params in (
        (ecs.run_task, {"taskDefinition": "app"}),
        (ecs.create_service, {"taskDefinition": "app", "serviceName": "s", "desiredCount": 1}),
    ):
        code, text = refusal(call, placementConstraints=broken, **params)
        assert code == "InvalidParameterException"
        assert "an argument is expected" in text
    register(ecs, "broken", placementConstraints=broken)
    assert refusal(ecs.run_task, taskDefinition="broken")[0] == "InvalidParameterException"
    assert refusal(ecs.list_container_instances, filter="x")[0] == "InvalidParameterException"


def test_list(ecs: Any) -> None:
    arns = [new_instance(ecs)["containerInstanceArn"] for _ in range(3)]
    ecs.put_attributes(attributes=[{"name": "stack", "value": "prod", "targetId": arns[0]}])
    ecs.update_container_instances_state(containerInstances=arns[:1], status="DRAINING")
    ecs.deregister_container_instance(containerInstance=arns[2])
    assert listed(ecs) == {*arns[:2]}
    assert listed(ecs, status="DRAINING") == {arns[0]}
    assert listed(ecs, status="ACTIVE") == {arns[1]}
    assert listed(ecs, filter="attribute:stack == prod") == {arns[0]}
    assert listed(ecs, filter="not attribute:stack exists and runningTasksCount == 0") == {arns[1]}
    pages = ecs.get_paginator("list_container_instances").paginate(PaginationConfig={"PageSize": 1})
    assert [len(each["containerInstanceArns"]) for each in pages] == [1, 1]


def test_describe_what_is_not_there(ecs: Any) -> None:
    code, text = refusal(ecs.describe_container_instances, containerInstances=[])
    assert (code, text) == ("ClientException", "Container Instances cannot be empty.")
    answer = ecs.describe_container_instances(containerInstances=[NOWHERE])
    [failure] = answer["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"].endswith(f":container-instance/default/{NOWHERE}")


@pytest.mark.inferred
def test_describe_by_an_id_that_is_none(ecs: Any) -> None:
    code, text = refusal(ecs.describe_container_instances, containerInstances=["x"])
    assert code == "InvalidParameterException"
    assert text == "containerInstanceId length should be one of [32,36]"


def test_a_standalone_task_stays_while_its_instance_drains(ecs: Any) -> None:
    first = new_instance(ecs)["containerInstanceArn"]
    task = run(ecs, "app")["taskArn"]
    second = new_instance(ecs)["containerInstanceArn"]
    answer = ecs.update_container_instances_state(
        containerInstances=[first, NOWHERE], status="DRAINING"
    )
    assert [each["status"] for each in answer["containerInstances"]] == ["DRAINING"]
    assert [each["reason"] for each in answer["failures"]] == ["MISSING"]
    assert run(ecs, "app")["containerInstanceArn"] == second
    [seen] = ecs.describe_tasks(tasks=[task])["tasks"]
    assert seen["desiredStatus"] == "RUNNING"
    ecs.update_container_instances_state(containerInstances=[first], status="ACTIVE")
    assert run(ecs, "app")["containerInstanceArn"] == first


def test_service_tasks_leave_an_instance_that_drains(ecs: Any, wait_for: Wait) -> None:
    first = new_instance(ecs)["containerInstanceArn"]
    ecs.create_service(serviceName="s", taskDefinition="app", desiredCount=2)
    ecs.get_waiter("services_stable").wait(services=["s"])
    assert described(ecs, first)["runningTasksCount"] == 2
    second = new_instance(ecs)["containerInstanceArn"]
    ecs.update_container_instances_state(containerInstances=[first], status="DRAINING")
    wait_for(lambda: not ecs.list_tasks(containerInstance=first)["taskArns"])
    wait_for(lambda: described(ecs, second)["runningTasksCount"] == 2)
    wait_for(lambda: described(ecs, first)["runningTasksCount"] == 0)
    [service] = ecs.describe_services(services=["s"])["services"]
    assert len(service["deployments"]) == 1
    stopped = ecs.list_tasks(serviceName="s", desiredStatus="STOPPED")["taskArns"]
    assert len(stopped) == 2


def test_a_service_says_what_is_lacking_and_goes_on_when_it_comes(ecs: Any, wait_for: Wait) -> None:
    small = new_instance(ecs, totalResources=[integer("MEMORY", 32)])["containerInstanceArn"]
    ecs.create_service(serviceName="s", taskDefinition="app", desiredCount=1)

    def service() -> Any:
        return ecs.describe_services(services=["s"])["services"][0]

    wait_for(lambda: service()["events"])
    assert (
        f"(container-instance {small.rpartition('/')[2]}) has insufficient memory available."
        in service()["events"][0]["message"]
    )
    new_instance(ecs)
    ecs.get_waiter("services_stable").wait(services=["s"])


@pytest.mark.inferred
def test_states_that_nobody_sets(ecs: Any) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    code, text = refusal(
        ecs.update_container_instances_state, containerInstances=[arn], status="REGISTERING"
    )
    assert code == "InvalidParameterException"
    assert text == "Container instance status should be one of [ACTIVE, DRAINING]"


def test_deregister(ecs: Any) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    task = run(ecs, "app")["taskArn"]
    ecs.get_waiter("tasks_running").wait(tasks=[task])
    code, text = refusal(ecs.deregister_container_instance, containerInstance=arn)
    assert (code, text) == (
        "InvalidParameterException",
        "Found running tasks on the instance.",
    )
    answer = ecs.deregister_container_instance(containerInstance=arn, force=True)
    assert answer["containerInstance"]["status"] == "INACTIVE"
    ecs.get_waiter("tasks_stopped").wait(tasks=[task])
    [seen] = ecs.describe_tasks(tasks=[task])["tasks"]
    assert seen["stopCode"] == "UserInitiated"
    assert seen["stoppedReason"] == "Container instance deregistration forced by user"
    assert described(ecs, arn)["status"] == "INACTIVE"
    assert listed(ecs) == set()
    code, text = refusal(ecs.run_task, taskDefinition="app")
    assert (code, text) == (
        "InvalidParameterException",
        "No Container Instances were found in your cluster.",
    )
    [failure] = ecs.update_container_instances_state(containerInstances=[arn], status="DRAINING")[
        "failures"
    ]
    assert failure == {"arn": arn, "reason": "INACTIVE"}


def test_a_cluster_with_instances_cannot_be_deleted(ecs: Any) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    code, text = refusal(ecs.delete_cluster, cluster="default")
    assert code == "ClusterContainsContainerInstancesException"
    assert text == (
        "The Cluster cannot be deleted while Container Instances are active or draining."
    )
    ecs.deregister_container_instance(containerInstance=arn)
    ecs.delete_cluster(cluster="default")


def test_an_agent_is_updated(ecs: Any) -> None:
    unknown = new_instance(ecs)["containerInstanceArn"]
    code, _ = refusal(ecs.update_container_agent, containerInstance=unknown)
    assert code == "MissingVersionException"
    old = new_instance(ecs, versionInfo={"agentVersion": "1.0.0"})["containerInstanceArn"]
    answer = ecs.update_container_agent(containerInstance=old)
    assert answer["containerInstance"]["agentUpdateStatus"] == "PENDING"
    assert described(ecs, old)["agentUpdateStatus"] == "UPDATED"
    code, _ = refusal(ecs.update_container_agent, containerInstance=old)
    assert code == "NoUpdateAvailableException"


def test_an_agent_of_its_own_is_updated_when_it_registers_again(ecs: Any) -> None:
    arn = new_instance(ecs, versionInfo={"agentVersion": "1.0.0"})["containerInstanceArn"]
    ecs.discover_poll_endpoint(containerInstance=arn)
    ecs.update_container_agent(containerInstance=arn)
    code, _ = refusal(ecs.update_container_agent, containerInstance=arn)
    assert code == "UpdateInProgressException"
    new_instance(ecs, containerInstanceArn=arn, versionInfo={"agentVersion": "1.99.0"})
    assert described(ecs, arn)["agentUpdateStatus"] == "UPDATED"


def test_attributes(ecs: Any) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    short = arn.rpartition("/")[2]
    put = ecs.put_attributes(
        attributes=[
            {"name": "stack", "value": "prod", "targetId": arn},
            {"name": "rack", "targetType": "container-instance", "targetId": short},
        ]
    )["attributes"]
    assert [(each["name"], each.get("value"), each["targetId"]) for each in put] == [
        ("stack", "prod", arn),
        ("rack", None, arn),
    ]
    ecs.put_attributes(attributes=[{"name": "stack", "value": "test", "targetId": arn}])
    seen = attributes(described(ecs, arn))
    assert (seen["stack"], seen["rack"]) == ("test", None)

    def found(**params: Any) -> list[str]:
        answer = ecs.list_attributes(targetType="container-instance", **params)
        return [each["name"] for each in answer["attributes"]]

    assert found(attributeName="stack") == found(attributeName="stack", attributeValue="test")
    assert found(attributeName="stack", attributeValue="prod") == []
    everything = ecs.get_paginator("list_attributes").paginate(
        targetType="container-instance", PaginationConfig={"PageSize": 7}
    )
    names = [each["name"] for page in everything for each in page["attributes"]]
    assert set(names) == set(seen)
    assert len(names) == len(set(names))
    deleted = ecs.delete_attributes(attributes=[{"name": "stack", "targetId": arn}])["attributes"]
    assert [each["name"] for each in deleted] == ["stack"]
    assert "stack" not in attributes(described(ecs, arn))


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("code", "attribute"),
    [
        ("TargetNotFoundException", {"targetId": NOWHERE, "targetType": "container-instance"}),
        ("InvalidParameterException", {"targetId": NOWHERE}),
        ("InvalidParameterException", {}),
        ("InvalidParameterException", {"name": "ecs.os-type", "targetId": "@"}),
        ("InvalidParameterException", {"name": "a" * 129, "targetId": "@"}),
        ("InvalidParameterException", {"value": "#", "targetId": "@"}),
    ],
    ids=str,
)
def test_attributes_refused(ecs: Any, code: str, attribute: dict[str, str]) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    attribute = {"name": "a", **attribute}
    attribute = {name: arn if value == "@" else value for name, value in attribute.items()}
    before = described(ecs, arn)
    assert refusal(ecs.put_attributes, attributes=[attribute])[0] == code
    assert refusal(ecs.delete_attributes, attributes=[attribute])[0] == code
    assert described(ecs, arn) == before


def test_ten_attributes_are_the_most(ecs: Any) -> None:
    arn = new_instance(ecs)["containerInstanceArn"]
    given = [{"name": f"a{number}", "targetId": arn} for number in range(11)]
    assert refusal(ecs.put_attributes, attributes=given)[0] == "InvalidParameterException"
    ecs.put_attributes(attributes=given[:10])
    assert refusal(ecs.put_attributes, attributes=given[10:])[0] == (
        "AttributeLimitExceededException"
    )
    code, _ = refusal(ecs.list_attributes, targetType="container-instance", attributeValue="x")
    assert code == "InvalidParameterException"
