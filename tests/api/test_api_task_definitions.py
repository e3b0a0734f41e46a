"""Task definitions (ecs-facts 4)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import wait_running

pytestmark = pytest.mark.captured

CLIENT = "ClientException"
INVALID = "InvalidParameterException"
UNABLE = (CLIENT, "Unable to describe task definition.")


def test_defaults_are_filled_in(ecs: Any) -> None:
    given = {
        "name": "app",
        "image": "busybox",
        "memory": 64,
        "portMappings": [{"containerPort": 80}],
        "healthCheck": {"command": ["CMD", "true"]},
    }
    answer = ecs.register_task_definition(family="app", containerDefinitions=[given])
    definition = answer["taskDefinition"]
    assert answer["tags"] == []
    assert definition["containerDefinitions"] == [
        {
            **given,
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
            "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
        }
    ]
    assert (definition["family"], definition["revision"], definition["status"]) == (
        "app",
        1,
        "ACTIVE",
    )
    assert definition["volumes"] == definition["placementConstraints"] == []
    assert definition["compatibilities"] == ["EXTERNAL", "EC2"]
    assert definition["registeredBy"] == "arn:aws:iam::123456789012:root"
    assert "networkMode" not in definition
    assert {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"} in definition[
        "requiresAttributes"
    ]


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ("1 vCPU", "2GB", ("1024", "2048")),
        (".25 vCPU", "0.5 GB", ("256", "512")),
        ("512", "1024", ("512", "1024")),
    ],
)
def test_sizes_become_numbers(ecs: Any, cpu: str, memory: str, expected: tuple[str, str]) -> None:
    arn = register_fargate(ecs, cpu=cpu, memory=memory)
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert (definition["cpu"], definition["memory"]) == expected
    assert sorted(definition["compatibilities"]) == ["EC2", "FARGATE", "MANAGED_INSTANCES"]


def test_host_ports_of_awsvpc(ecs: Any) -> None:
    arn = register(ecs, "app", container(portMappings=[{"containerPort": 80}]), networkMode="host")
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    [mapping] = definition["containerDefinitions"][0]["portMappings"]
    assert mapping["hostPort"] == 80


def test_revisions_are_never_used_again(ecs: Any) -> None:
    first = register(ecs)
    second = register(ecs)
    assert (first[-2:], second[-2:]) == (":1", ":2")
    ecs.deregister_task_definition(taskDefinition=second)
    ecs.delete_task_definitions(taskDefinitions=[second])
    assert register(ecs).endswith(":3")


def test_every_member_comes_back(ecs: Any) -> None:
    """What was registered is what is described (no member may get lost)."""
    given = container(
        command=["a", "$b"],
        entryPoint=["sh"],
        cpu=10,
        memoryReservation=32,
        environment=[{"name": "A", "value": "1"}],
        ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
        dockerLabels={"l": "v"},
        healthCheck={"command": ["CMD-SHELL", "x"], "interval": 9, "timeout": 3, "retries": 2},
        linuxParameters={"initProcessEnabled": True, "capabilities": {"add": ["NET_ADMIN"]}},
        mountPoints=[{"sourceVolume": "v", "containerPath": "/v", "readOnly": True}],
        restartPolicy={"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
        user="1000",
        workingDirectory="/w",
    )
    arn = register(
        ecs, "all", given, volumes=[{"name": "v", "host": {}}], taskRoleArn="role", pidMode="task"
    )
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    [seen] = definition["containerDefinitions"]
    assert {name: seen[name] for name in given} == given
    assert (definition["taskRoleArn"], definition["pidMode"]) == ("role", "task")
    assert definition["volumes"] == [{"name": "v", "host": {}}]


def test_describe(ecs: Any) -> None:
    register(ecs)
    latest = register(ecs, tags=[{"key": "k", "value": "v"}])
    describe = ecs.describe_task_definition
    for reference in ("app", "app:2", latest):
        assert describe(taskDefinition=reference)["taskDefinition"]["taskDefinitionArn"] == latest
    assert describe(taskDefinition="app")["tags"] == []
    assert describe(taskDefinition="app", include=["TAGS"])["tags"] == [{"key": "k", "value": "v"}]
    assert refusal(describe, taskDefinition="nobody") == UNABLE
    assert refusal(describe, taskDefinition="app:9") == UNABLE
    assert refusal(describe, taskDefinition="app:abc") == (
        INVALID,
        "Invalid task definition: Invalid revision number.",
    )
    assert refusal(describe, taskDefinition="app", include=["BOGUS"]) == (
        CLIENT,
        "BOGUS is not a valid value for include. The value must be one of [[TAGS]]",
    )


def test_deregister(ecs: Any) -> None:
    arn = register(ecs)
    call = ecs.deregister_task_definition
    assert refusal(call, taskDefinition="app") == (INVALID, "Revision is missing")
    first = call(taskDefinition="app:1")["taskDefinition"]
    assert first["status"] == "INACTIVE"
    assert "deregisteredAt" not in first
    assert "deregisteredAt" in call(taskDefinition=arn)["taskDefinition"]
    described = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert described["status"] == "INACTIVE"
    assert refusal(ecs.describe_task_definition, taskDefinition="app") == UNABLE
    ecs.create_cluster()
    assert refusal(ecs.run_task, taskDefinition=arn) == (CLIENT, "TaskDefinition is inactive")


@pytest.mark.inferred
def test_delete(ecs: Any) -> None:
    arn = register(ecs)
    call = ecs.delete_task_definitions
    assert refusal(call, taskDefinitions=[]) == (
        CLIENT,
        "size of TaskDefinition references list must be greater than 0",
    )
    assert refusal(call, taskDefinitions=[f"x:{n}" for n in range(11)]) == (
        CLIENT,
        "Size of TaskDefinition references list cannot exceed 10",
    )
    answer = call(taskDefinitions=[arn, "ghost:1", "ghost"])
    assert answer["taskDefinitions"] == []
    assert [(item["arn"], item["reason"].split(". ")[0]) for item in answer["failures"]] == [
        (arn, "The specified task definition is still in ACTIVE status"),
        ("ghost:1", "The specified task definition does not exist"),
        ("ghost", "The specified task definition identifier is invalid"),
    ]
    ecs.deregister_task_definition(taskDefinition=arn)
    [deleted] = call(taskDefinitions=[arn])["taskDefinitions"]
    assert deleted["status"] == "DELETE_IN_PROGRESS"
    assert refusal(ecs.describe_task_definition, taskDefinition=arn) == UNABLE


@pytest.mark.documented
def test_a_deleted_definition_stays_while_it_is_used(ecs: Any) -> None:
    arn = register(ecs, "app", container(command=SLEEP))
    ecs.create_cluster()
    task = run(ecs, arn)
    wait_running(ecs, task["taskArn"])
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])
    described = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert described["status"] == "DELETE_IN_PROGRESS"
    assert refusal(ecs.deregister_task_definition, taskDefinition=arn) == (
        CLIENT,
        "The task definition could not be deregistered because it is in the process of being "
        "deleted.",
    )
    ecs.stop_task(task=task["taskArn"])
    ecs.get_waiter("tasks_stopped").wait(tasks=[task["taskArn"]])
    assert refusal(ecs.describe_task_definition, taskDefinition=arn) == UNABLE


@pytest.mark.documented
def test_lists(ecs: Any) -> None:
    a = [register(ecs, "a"), register(ecs, "a")]
    ab = register(ecs, "ab")
    listed = ecs.list_task_definitions
    assert listed()["taskDefinitionArns"] == [*a, ab]
    assert listed(sort="DESC")["taskDefinitionArns"] == [ab, *a[::-1]]
    # `familyPrefix` is a whole name here, and a prefix there.
    assert listed(familyPrefix="a")["taskDefinitionArns"] == a
    families = ecs.list_task_definition_families
    assert families(familyPrefix="a")["families"] == ["a", "ab"]
    ecs.deregister_task_definition(taskDefinition=ab)
    assert listed(status="INACTIVE")["taskDefinitionArns"] == [ab]
    assert families(status="ACTIVE")["families"] == ["a"]
    assert families(status="INACTIVE")["families"] == ["ab"]
    assert families()["families"] == ["a", "ab"]
