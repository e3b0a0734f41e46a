"""What RegisterTaskDefinition refuses, and in which order (ecs-facts 4.2 to 4.4)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import container
from api_steps import refusal
from api_steps import register_fargate

INVALID = "InvalidParameterException"
CLIENT = "ClientException"
FARGATE = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
}


def after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def logging_to(driver: str, **options: str) -> dict[str, Any]:
    return {"logConfiguration": {"logDriver": driver, "options": options}}


def on_fargate(**members: Any) -> dict[str, Any]:
    return {**FARGATE, "containerDefinitions": [container(**members)]}


AWSLOGS = {"awslogs-group": "g", "awslogs-region": "us-east-1"}
ROW = tuple[str, dict[str, Any], str, str]

ANY_LAUNCH_TYPE: list[ROW] = [
    ("cpu", {"cpu": "many"}, INVALID, "Invalid 'cpu' setting for task."),
    ("empty cpu", {"cpu": ""}, INVALID, "Invalid 'cpu' setting for task."),
    ("no cpu", {"cpu": "0"}, INVALID, "Invalid 'cpu' setting for task."),
    ("endless cpu", {"cpu": "9" * 5000}, INVALID, "Invalid 'cpu' setting for task."),
    ("endless vCPU", {"cpu": "9" * 400 + "vCPU"}, INVALID, "Invalid 'cpu' setting for task."),
    ("no containers", {"containerDefinitions": []}, CLIENT, "Container list cannot be empty."),
    (
        "no name",
        {"containerDefinitions": [{"image": "x", "memory": 8}]},
        CLIENT,
        "Container.name should not be null or empty.",
    ),
    (
        "empty image",
        {"containerDefinitions": [{"name": "x", "image": "", "memory": 8}]},
        CLIENT,
        "Container.image should not be null or empty.",
    ),
    (
        "same names",
        {"containerDefinitions": [container(), container()]},
        CLIENT,
        "Container names must be unique within a Task Definition.",
    ),
    (
        "none essential",
        {"containerDefinitions": [container(essential=False)]},
        CLIENT,
        "Task definition doesn't have any essential container.",
    ),
    (
        "no memory",
        {"containerDefinitions": [{"name": "app", "image": "x"}]},
        CLIENT,
        "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' "
        "must be specified.",
    ),
    (
        "host port on awsvpc",
        {
            "networkMode": "awsvpc",
            "containerDefinitions": [
                container(portMappings=[{"containerPort": 80, "hostPort": 81}])
            ],
        },
        CLIENT,
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        "host port on host",
        {
            "networkMode": "host",
            "containerDefinitions": [
                container(portMappings=[{"containerPort": 80, "hostPort": 81}])
            ],
        },
        CLIENT,
        "When networkMode=host, the host ports and container ports in port mappings must match.",
    ),
    (
        "dependency on nothing",
        {"containerDefinitions": [container(dependsOn=after("x", "START"))]},
        CLIENT,
        "Cannot depend on container + 'x' because it does not exist",
    ),
    (
        "dependency on itself",
        {"containerDefinitions": [container(dependsOn=after("app", "START"))]},
        CLIENT,
        "Container dependsOn contains a cycle",
    ),
    (
        "cycle",
        {
            "containerDefinitions": [
                container("a", dependsOn=after("b", "START")),
                container("b", dependsOn=after("c", "START")),
                container("c", dependsOn=after("a", "START")),
            ]
        },
        CLIENT,
        "Container dependsOn contains a cycle",
    ),
    *(
        (
            f"{condition} of an essential container",
            {
                "containerDefinitions": [
                    container("a", dependsOn=after("b", condition)),
                    container("b"),
                ]
            },
            CLIENT,
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
            "container",
        )
        for condition in ("SUCCESS", "COMPLETE")
    ),
    (
        "HEALTHY without check",
        {"containerDefinitions": [container("a", dependsOn=after("b", "HEALTHY")), container("b")]},
        CLIENT,
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    *(
        (
            f"{word} timeout",
            {"containerDefinitions": [container(**{f"{word}Timeout": 1})]},
            CLIENT,
            f"Granular {word} timeout on container 'app' must be at least 2 seconds.",
        )
        for word in ("start", "stop")
    ),
    (
        "awslogs without options",
        {"containerDefinitions": [container(**logging_to("awslogs", **{"awslogs-group": "g"}))]},
        CLIENT,
        "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ),
    (
        "secrets without role",
        {"containerDefinitions": [container(secrets=[{"name": "A", "valueFrom": "b"}])]},
        CLIENT,
        "When you are specifying container secrets, you must also specify a value for "
        "'executionRoleArn'",
    ),
    ("role", {"taskRoleArn": "arn:aws:iam"}, CLIENT, "Role is not valid"),
    (
        "broken ARN",
        {
            "executionRoleArn": "arn:aws:iam::123456789012:role/x",
            "containerDefinitions": [container(secrets=[{"name": "A", "valueFrom": "arn:b"}])],
        },
        CLIENT,
        "Invalid arn syntax.",
    ),
    ("no tags", {"tags": []}, CLIENT, "Tags can not be empty."),
    ("tag without value", {"tags": [{"key": "a"}]}, CLIENT, "Tag value can not be null."),
    *(
        (
            f"family {family!r:.20}",
            {"family": family},
            CLIENT,
            "Family contains invalid characters.",
        )
        for family in ("", "a:1", "a/b", "a b", "é", "x" * 256)
    ),
    (
        "little storage",
        {"ephemeralStorage": {"sizeInGiB": 20}},
        CLIENT,
        "EphemeralStorage size should be at least 21",
    ),
    (
        "much storage",
        {"ephemeralStorage": {"sizeInGiB": 201}},
        CLIENT,
        "EphemeralStorage size should be at most 200",
    ),
]

ONLY_FARGATE: list[ROW] = [
    (
        "bridge",
        {"networkMode": "bridge"},
        CLIENT,
        "Fargate only supports network mode \u2018awsvpc\u2019.",
    ),
    (
        "no mode",
        {"networkMode": None},
        CLIENT,
        "Fargate only supports network mode \u2018awsvpc\u2019.",
    ),
    (
        "no cpu",
        {"cpu": None},
        CLIENT,
        "Fargate requires that 'cpu' be defined at the task level.",
    ),
    (
        "no memory",
        {"memory": None},
        CLIENT,
        "Fargate requires that 'memory' be defined at the task level.",
    ),
    (
        "size",
        {"memory": "4096"},
        CLIENT,
        "No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon "
        "ECS documentation for the valid values.",
    ),
    (
        "log driver",
        on_fargate(**logging_to("json-file")),
        CLIENT,
        "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
    ),
    (
        "awslogs without role",
        on_fargate(**logging_to("awslogs", **AWSLOGS)),
        CLIENT,
        "Fargate requires task definition to have execution role ARN to support log driver "
        "awslogs.",
    ),
    (
        "ECR without role",
        on_fargate(image="1.dkr.ecr.us-east-1.amazonaws.com/x"),
        CLIENT,
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    (
        "stop timeout",
        on_fargate(stopTimeout=121),
        CLIENT,
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 "
        "seconds.",
    ),
    (
        "pid mode",
        {"pidMode": "host"},
        CLIENT,
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value "
        "for pidMode is 'task'.",
    ),
]


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [pytest.param(*row[1:], id=row[0]) for row in ANY_LAUNCH_TYPE],
)
def test_refused(ecs: Any, members: dict[str, Any], code: str, message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    assert refusal(ecs.register_task_definition, **request) == (code, message)
    assert ecs.list_task_definition_families()["families"] == []


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [pytest.param(*row[1:], id=row[0]) for row in ONLY_FARGATE],
)
def test_refused_on_fargate(ecs: Any, members: dict[str, Any], code: str, message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **FARGATE, **members}
    request = {name: value for name, value in request.items() if value is not None}
    assert refusal(ecs.register_task_definition, **request) == (code, message)


@pytest.mark.parametrize(
    "members",
    [
        {"containerDefinitions": [container(f"c{n}") for n in range(11)]},
        {"containerDefinitions": [container("a b")]},
        {"containerDefinitions": [container("x" * 256)]},
        {"containerDefinitions": [container(memory=3)]},
        {"containerDefinitions": [container(memory=8, memoryReservation=9)]},
        {"containerDefinitions": [container(cpu=-1)]},
        {"containerDefinitions": [container(healthCheck={"command": []})]},
        {"containerDefinitions": [container(healthCheck={"command": ["x"], "interval": 4})]},
        {"containerDefinitions": [container(healthCheck={"command": ["x"], "retries": 11})]},
        {"containerDefinitions": [container(portMappings=[{"containerPort": 65536}])]},
        {"containerDefinitions": [container(environment=[{"value": "x"}])]},
        {"containerDefinitions": [container(mountPoints=[{"sourceVolume": "x"}])]},
        {"networkMode": "awsvpc", "containerDefinitions": [container(links=["x"])]},
        {"memory": "9" * 5000},
        {"networkMode": "x"},
    ],
    ids=str,
)
def test_refused_in_words_of_our_own(ecs: Any, members: dict[str, Any]) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    code, message = refusal(ecs.register_task_definition, **request)
    assert code in (CLIENT, INVALID)
    assert message


def test_too_long(ecs: Any) -> None:
    big = container(environment=[{"name": "A", "value": "x" * 65536}])
    code, message = refusal(ecs.register_task_definition, family="app", containerDefinitions=[big])
    assert code == CLIENT
    assert message.startswith("Actual length: '")
    assert message.endswith("'. Max allowed length is '65536' bytes.")


def test_order_of_checks(ecs: Any) -> None:
    """Task cpu, network mode of Fargate, essential, single containers, the pair of sizes."""
    broken: dict[str, Any] = {
        "family": "app",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "bridge",
        "cpu": "x",
        "memory": "4096",
        "containerDefinitions": [{"essential": False, "name": "app", "image": ""}],
    }
    mend: list[tuple[str, dict[str, Any]]] = [
        ("Invalid 'cpu'", {"cpu": "256"}),
        ("Fargate only supports", {"networkMode": "awsvpc"}),
        ("Task definition doesn't", {"containerDefinitions": [{"name": "app", "image": ""}]}),
        ("Container.image", {"containerDefinitions": [container(stopTimeout=1)]}),
        ("Granular stop timeout", {"containerDefinitions": [container()]}),
        ("No Fargate configuration", {"memory": "512"}),
    ]
    for message, members in mend:
        assert refusal(ecs.register_task_definition, **broken)[1].startswith(message)
        broken |= members
    ecs.register_task_definition(**broken)


def test_stop_timeout_at_its_limit(ecs: Any) -> None:
    ecs.register_task_definition(family="app", **on_fargate(stopTimeout=120))


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [("256", "512"), ("256", "2 GB"), ("1 vCPU", "8GB"), ("4096", "30720"), ("16384", "122880")],
)
def test_sizes_of_fargate(ecs: Any, cpu: str, memory: str) -> None:
    register_fargate(ecs, cpu=cpu, memory=memory)
