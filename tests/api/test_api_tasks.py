"""RunTask, StopTask, DescribeTasks, ListTasks (ecs-facts 5)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import service
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stable
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

CLIENT = "ClientException"
INVALID = "InvalidParameterException"
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/default"


@pytest.fixture
def app(ecs: Any) -> str:
    """A definition for a bridge, in the cluster `default`."""
    ecs.create_cluster()
    return register(ecs, "app", container(command=SLEEP))


@pytest.fixture
def far(ecs: Any) -> str:
    """A definition for Fargate, in the cluster `default`."""
    ecs.create_cluster()
    return register_fargate(ecs)


def test_the_definition_is_resolved_before_the_cluster(ecs: Any, app: str) -> None:
    call = ecs.run_task
    assert refusal(call, taskDefinition="ghost", cluster="ghost") == (
        CLIENT,
        "TaskDefinition not found.",
    )
    assert refusal(call, taskDefinition=app, cluster="ghost") == (
        "ClusterNotFoundException",
        "Cluster not found.",
    )


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {},
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
            "subnets can not be empty.",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["x"]}}},
            "Error retrieving subnet information for [x]: The subnet ID 'x' does not exist "
            "(ErrorCode: InvalidSubnetID.NotFound)",
        ),
        (
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["x"]}
                }
            },
            "Error retrieving security group information for [x]: The security group 'x' does not "
            "exist (ErrorCode: InvalidGroup.NotFound)",
        ),
        (
            {
                "networkConfiguration": NETWORK,
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            },
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again.",
        ),
    ],
)
def test_refused_on_fargate(ecs: Any, far: str, params: dict[str, Any], text: str) -> None:
    answer = refusal(ecs.run_task, taskDefinition=far, launchType="FARGATE", **params)
    assert answer == (INVALID, text)
    assert ecs.list_tasks()["taskArns"] == []


def test_refused_launch_types(ecs: Any, app: str) -> None:
    assert refusal(ecs.run_task, taskDefinition=app, launchType="FARGATE") == (
        INVALID,
        "Task definition does not support launch_type FARGATE.",
    )
    assert refusal(ecs.run_task, taskDefinition=app, launchType="LAMBDA") == (
        INVALID,
        "launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]",
    )


def test_refused_platform(ecs: Any, far: str) -> None:
    answer = refusal(
        ecs.run_task,
        taskDefinition=far,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        platformVersion="9.9.9",
    )
    assert answer == ("PlatformUnknownException", "The specified platform does not exist.")


@pytest.mark.parametrize(
    "params",
    [
        {"count": 0},
        {"count": 11},
        {"count": -1},
        {"startedBy": "x" * 129},
        {"group": "service:x"},
        {"overrides": {"containerOverrides": [{"name": "ghost"}]}},
        {"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 8200]}]}},
        {"propagateTags": "SERVICE"},
        {"tags": [{"key": "aws:x", "value": "1"}]},
        {"clientToken": "x" * 65},
        {"networkConfiguration": NETWORK},
    ],
)
def test_refused_in_words_of_ours(ecs: Any, app: str, params: dict[str, Any]) -> None:
    assert refusal(ecs.run_task, taskDefinition=app, **params)[0] == INVALID
    assert ecs.list_tasks()["taskArns"] == []


def test_several_at_once_and_what_they_are_called(ecs: Any, app: str) -> None:
    tasks = ecs.run_task(taskDefinition=app, count=10, startedBy="me", group="g")["tasks"]
    assert len({task["taskArn"] for task in tasks}) == 10
    for started in tasks:
        *start, identifier = started["taskArn"].split("/")
        assert "/".join(start) == "arn:aws:ecs:us-east-1:123456789012:task/default"
        assert len(identifier) == 32
        assert (started["startedBy"], started["group"]) == ("me", "g")
        assert started["clusterArn"] == CLUSTER
    assert run(ecs, app)["group"] == "family:app"


def test_overrides_are_echoed(ecs: Any, app: str) -> None:
    assert run(ecs, app)["overrides"] == {
        "containerOverrides": [{"name": "app"}],
        "inferenceAcceleratorOverrides": [],
    }
    override = {"name": "app", "environment": [{"name": "A", "value": "1"}], "cpu": 5}
    started = run(ecs, app, overrides={"containerOverrides": [override], "cpu": "9"})
    assert started["overrides"]["containerOverrides"] == [override]
    assert started["cpu"] == "9"
    assert started["containers"][0]["cpu"] == "5"


def test_strategy_spreads_by_base_and_weight(ecs: Any, far: str) -> None:
    tasks = ecs.run_task(
        taskDefinition=far,
        count=8,
        networkConfiguration=NETWORK,
        capacityProviderStrategy=[
            {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
            {"capacityProvider": "FARGATE_SPOT", "weight": 2},
        ],
    )["tasks"]
    names = [task["capacityProviderName"] for task in tasks]
    assert (names.count("FARGATE"), names.count("FARGATE_SPOT")) == (4, 4)
    assert {task["launchType"] for task in tasks} == {"FARGATE"}
    assert {task["platformVersion"] for task in tasks} == {"1.4.0"}


def test_client_token(ecs: Any, app: str) -> None:
    [first] = ecs.run_task(taskDefinition=app, clientToken="t")["tasks"]
    wait_running(ecs, first["taskArn"])
    [again] = ecs.run_task(taskDefinition=app, clientToken="t")["tasks"]
    assert (again["taskArn"], again["lastStatus"]) == (first["taskArn"], "RUNNING")
    assert len(ecs.list_tasks()["taskArns"]) == 1
    with pytest.raises(ecs.exceptions.ConflictException) as caught:
        ecs.run_task(taskDefinition=app, clientToken="t", startedBy="other")
    assert caught.value.response["resourceIds"] == [first["taskArn"]]
    assert caught.value.response["Error"]["Message"] == (
        "The RunTask request could not be processed due to conflicts. The provided clientToken is "
        "already in use with a different request."
    )


def test_tags_at_the_launch(ecs: Any) -> None:
    ecs.create_cluster()
    own = [{"key": "a", "value": "definition"}, {"key": "b", "value": "definition"}]
    register(ecs, "app", container(command=SLEEP), tags=own)
    started = run(
        ecs,
        "app",
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        tags=[{"key": "a", "value": "call"}],
    )
    assert {tag["key"]: tag["value"] for tag in started["tags"]} == {
        "a": "call",
        "b": "definition",
        "aws:ecs:clusterName": "default",
    }
    assert task(ecs, started["taskArn"])["tags"] == started["tags"]
    [without] = ecs.describe_tasks(tasks=[started["taskArn"]])["tasks"]
    assert without["tags"] == []
    assert run(ecs, "app")["tags"] == []


def test_stop(ecs: Any, app: str) -> None:
    call = ecs.stop_task
    assert refusal(call, task="0" * 32) == (INVALID, "The referenced task was not found.")
    assert refusal(call, task="short") == (INVALID, "taskId length should be one of [32,36]")
    started = run(ecs, app)
    wait_running(ecs, started["taskArn"])
    answer = call(task=started["taskArn"].rpartition("/")[2])["task"]
    assert (answer["desiredStatus"], answer["lastStatus"]) == ("STOPPED", "RUNNING")
    assert (answer["stopCode"], answer["stoppedReason"]) == (
        "UserInitiated",
        "Task stopped by user",
    )
    assert "stoppingAt" in answer
    wait_stopped(ecs, started["taskArn"])
    before = task(ecs, started["taskArn"])
    call(task=started["taskArn"], reason="again")
    assert task(ecs, started["taskArn"]) == before


def test_describe(ecs: Any, app: str) -> None:
    started = run(ecs, app)
    missing = f"arn:aws:ecs:us-east-1:123456789012:task/default/{'0' * 32}"
    answer = ecs.describe_tasks(
        tasks=[started["taskArn"], "0" * 32, started["taskArn"].rpartition("/")[2]]
    )
    assert [item["taskArn"] for item in answer["tasks"]] == [started["taskArn"]]
    assert answer["failures"] == [{"arn": missing, "reason": "MISSING"}]
    assert refusal(ecs.describe_tasks, tasks=[]) == (INVALID, "Tasks cannot be empty.")
    assert refusal(ecs.describe_tasks, tasks=["0" * 32] * 101)[0] == INVALID
    foreign = started["taskArn"].replace("123456789012", "999999999999")
    assert refusal(ecs.describe_tasks, tasks=[foreign]) == (INVALID, "AccountIDs mismatch")


def test_a_stopped_task_is_forgotten_after_an_hour(ecs: Any, app: str, admin: AdminClient) -> None:
    started = run(ecs, app)
    ecs.stop_task(task=started["taskArn"])
    wait_stopped(ecs, started["taskArn"])
    admin.advance_clock(3500)
    assert task(ecs, started["taskArn"])["lastStatus"] == "STOPPED"
    admin.advance_clock(200)
    answer = ecs.describe_tasks(tasks=[started["taskArn"]])
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "MISSING"
    assert ecs.list_tasks(desiredStatus="STOPPED")["taskArns"] == []


def test_list_filters(ecs: Any, app: str) -> None:
    other = register_fargate(ecs, "far")
    mine = run(ecs, app, startedBy="me")["taskArn"]
    ended = run(ecs, app)["taskArn"]
    far = run(ecs, other, launchType="FARGATE", networkConfiguration=NETWORK)["taskArn"]
    ecs.create_service(serviceName="web", taskDefinition=app, desiredCount=1)
    wait_stable(ecs, "web")
    [served] = ecs.list_tasks(serviceName="web")["taskArns"]
    ecs.stop_task(task=ended)
    wait_stopped(ecs, ended)

    def listed(**filters: Any) -> set[str]:
        return set(ecs.list_tasks(**filters)["taskArns"])

    assert listed() == {mine, far, served}
    assert listed(desiredStatus="STOPPED") == {ended}
    assert listed(desiredStatus="PENDING") == set()
    assert listed(startedBy="me") == {mine}
    assert listed(family="far") == listed(launchType="FARGATE") == {far}
    assert listed(family="app", desiredStatus="STOPPED") == {ended}
    deployment = service(ecs, "web")["deployments"][0]["id"]
    assert listed(startedBy=deployment) == {served}
    assert refusal(ecs.list_tasks, serviceName="ghost") == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert refusal(ecs.list_tasks, startedBy="me", family="app")[0] == INVALID


def test_inactive_cluster(ecs: Any, app: str) -> None:
    ecs.delete_cluster(cluster="default")
    code, text = refusal(ecs.run_task, taskDefinition=app)
    assert (code, text) == ("ClusterNotFoundException", "The referenced cluster was inactive.")
