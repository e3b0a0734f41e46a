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

CLIENT = "ClientException"
INVALID = "InvalidParameterException"
UNABLE = (CLIENT, "Unable to describe task definition.")


def after(name: str, condition: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def side(**members: Any) -> dict[str, Any]:
    return container("side", essential=False, **members)


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


MISTAKES: list[tuple[str, list[dict[str, Any]], dict[str, Any], str]] = [
    ("no containers", [], {}, "Container list cannot be empty."),
    ("no name", [{"image": "x", "memory": 4}], {}, "Container.name should not be null or empty."),
    ("no image", [{"name": "a", "memory": 4}], {}, "Container.image should not be null or empty."),
    (
        "equal names",
        [container(), container()],
        {},
        "Container names must be unique within a Task Definition.",
    ),
    (
        "none essential",
        [container(essential=False)],
        {},
        "Task definition doesn't have any essential container.",
    ),
    (
        "no memory",
        [{"name": "x", "image": "y"}],
        {},
        "Invalid setting for container 'x'. At least one of 'memory' or 'memoryReservation' must "
        "be specified.",
    ),
    (
        "ports on awsvpc",
        [container(portMappings=[{"containerPort": 80, "hostPort": 81}])],
        {"networkMode": "awsvpc"},
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        "unknown dependency",
        [container(**after("ghost", "START"))],
        {},
        "Cannot depend on container + 'ghost' because it does not exist",
    ),
    (
        "depends on itself",
        [container(**after("app", "START"))],
        {},
        "Container dependsOn contains a cycle",
    ),
    (
        "cycle",
        [container(**after("side", "START")), side(**after("app", "START"))],
        {},
        "Container dependsOn contains a cycle",
    ),
    (
        "success of an essential one",
        [container(), side(**after("app", "SUCCESS"))],
        {},
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
        "container",
    ),
    (
        "healthy without check",
        [container(**after("side", "HEALTHY")), side()],
        {},
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    (
        "start timeout",
        [container(startTimeout=1)],
        {},
        "Granular start timeout on container 'app' must be at least 2 seconds.",
    ),
    (
        "stop timeout",
        [container(stopTimeout=1)],
        {},
        "Granular stop timeout on container 'app' must be at least 2 seconds.",
    ),
    (
        "awslogs",
        [container(logConfiguration={"logDriver": "awslogs", "options": {}})],
        {},
        "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ),
    (
        "secrets",
        [container(secrets=[{"name": "S", "valueFrom": "p"}])],
        {},
        "When you are specifying container secrets, you must also specify a value for "
        "'executionRoleArn'",
    ),
]
FARGATE_MISTAKES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("bridge", {}, {"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),  # noqa: RUF001
    (
        "size",
        {},
        {"memory": "4096"},
        "No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon "
        "ECS documentation for the valid values.",
    ),
    (
        "log driver",
        {"logConfiguration": {"logDriver": "json-file"}},
        {},
        "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
    ),
    (
        "awslogs without role",
        {
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-region": "us-east-1", "awslogs-group": "g"},
            }
        },
        {},
        "Fargate requires task definition to have execution role ARN to support log driver "
        "awslogs.",
    ),
    (
        "ecr without role",
        {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1"},
        {},
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    (
        "stop timeout",
        {"stopTimeout": 121},
        {},
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 "
        "seconds.",
    ),
    (
        "pid mode",
        {},
        {"pidMode": "host"},
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value "
        "for pidMode is 'task'.",
    ),
]


@pytest.mark.parametrize(
    ("containers", "members", "text"),
    [row[1:] for row in MISTAKES],
    ids=[row[0] for row in MISTAKES],
)
def test_refused(
    ecs: Any, containers: list[dict[str, Any]], members: dict[str, Any], text: str
) -> None:
    call = ecs.register_task_definition
    assert refusal(call, family="app", containerDefinitions=containers, **members) == (CLIENT, text)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize(
    ("members", "task", "text"),
    [row[1:] for row in FARGATE_MISTAKES],
    ids=[row[0] for row in FARGATE_MISTAKES],
)
def test_refused_for_fargate(
    ecs: Any, members: dict[str, Any], task: dict[str, Any], text: str
) -> None:
    definition = {
        "family": "far",
        "containerDefinitions": [container(**members)],
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        **task,
    }
    assert refusal(ecs.register_task_definition, **definition) == (CLIENT, text)
    if task.get("networkMode") != "bridge":
        # Without being asked for, Fargate is only left out.
        del definition["requiresCompatibilities"]
        answer = ecs.register_task_definition(**definition)
        assert "FARGATE" not in answer["taskDefinition"]["compatibilities"]


@pytest.mark.parametrize("member", ["cpu", "memory"])
def test_fargate_needs_a_size(ecs: Any, member: str) -> None:
    definition = {"cpu": "256", "memory": "512"}
    del definition[member]
    answer = refusal(
        ecs.register_task_definition,
        family="far",
        containerDefinitions=[container()],
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        **definition,
    )
    assert answer == (CLIENT, f"Fargate requires that '{member}' be defined at the task level.")


@pytest.mark.parametrize("cpu", ["", "many", "-1", "0"])
def test_bad_task_cpu(ecs: Any, cpu: str) -> None:
    answer = refusal(
        ecs.register_task_definition, family="a", containerDefinitions=[container()], cpu=cpu
    )
    assert answer == (INVALID, "Invalid 'cpu' setting for task.")


def test_order_of_checks(ecs: Any) -> None:
    """cpu, network mode, essential container, container, size (ecs-facts 4.2)."""
    wrong: dict[str, Any] = {
        "family": "app",
        "cpu": "bad",
        "memory": "1",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [container(essential=False, stopTimeout=1)],
    }
    call = ecs.register_task_definition
    assert refusal(call, **wrong)[1] == "Invalid 'cpu' setting for task."
    wrong["cpu"] = "256"
    assert refusal(call, **wrong)[1].startswith("Fargate only supports")
    wrong["networkMode"] = "awsvpc"
    assert refusal(call, **wrong)[1].startswith("Task definition doesn't have any essential")
    wrong["containerDefinitions"][0]["essential"] = True
    assert refusal(call, **wrong)[1].startswith("Granular stop timeout")
    wrong["containerDefinitions"][0]["stopTimeout"] = 2
    assert refusal(call, **wrong)[1].startswith("No Fargate configuration exists")


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


def test_a_nul_in_a_working_directory(ecs: Any) -> None:
    code, _ = refusal(
        ecs.register_task_definition,
        family="app",
        containerDefinitions=[container(workingDirectory="/a\0b")],
    )
    assert code == "ClientException"
