"""Overrides of RunTask: what is refused, what tasks get and show of them (ecs-facts 5.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import task
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.inferred

Row = tuple[str, dict[str, Any], str]

INVALID = "InvalidParameterException"
ROLE = "arn:aws:iam::123456789012:role/x"
ON_FARGATE = {"launchType": "FARGATE", "networkConfiguration": NETWORK}


def over(*overrides: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**members, "containerOverrides": list(overrides)}


def app(**members: Any) -> dict[str, Any]:
    return over({"name": "app", **members})


SEEN: list[Row] = [
    (
        "unknown container",
        over({"name": "none"}),
        "Override for container named none is not a container in the TaskDefinition.",
    ),
    (
        "long",
        app(command=["x" * 8192]),
        "Container Overrides length must be at most 8192",
    ),
    (
        "memory of a container",
        {**app(memory=65), "memory": "64"},
        "'memory' setting for container 'app' is greater than for task.",
    ),
]
OURS: list[Row] = [
    (
        "no name",
        over({"command": ["x"]}),
        "Override for container named null is not a container in the TaskDefinition.",
    ),
    ("twice", over(*[{"name": "app"}] * 2), "A container can have only one override."),
    (
        "variable without name",
        app(environment=[{"value": "x"}]),
        "A variable in the environment of container 'app' has no name.",
    ),
    (
        "NUL in a variable",
        app(environment=[{"name": "A", "value": "\0"}]),
        "The environment of container 'app' has a NUL in it.",
    ),
    ("NUL in a word", app(command=["\0"]), "The command of container 'app' has a NUL in it."),
    (
        "variable of a secret",
        app(environment=[{"name": "SECRET", "value": "x"}]),
        "The secret name must be unique and not shared with any new or existing environment "
        "variables set on the container, such as 'SECRET'.",
    ),
    (
        "environment file",
        app(environmentFiles=[{"type": "s3", "value": "a.env"}]),
        "Invalid arn syntax.",
    ),
    ("cpu", app(cpu=-1), "Invalid setting for container 'app'. 'cpu' must not be negative"),
    ("memory", app(memory=3), "Invalid setting for container 'app'. 'memory' must be at least 4"),
    (
        "reservation",
        app(memoryReservation=65),
        "Invalid setting for container 'app'. 'memoryReservation' must be less than 'memory'.",
    ),
    (
        "resources",
        app(resourceRequirements=[{"type": "GPU", "value": "x"}]),
        "Invalid 'resourceRequirements' setting for container 'app': 'x' is not a number of GPUs.",
    ),
    ("cpu of the task", {"cpu": "much"}, "Invalid 'cpu' setting for task."),
    ("memory of the task", {"memory": ""}, "Invalid 'memory' setting for task."),
    ("task role", {"taskRoleArn": "arn:x"}, "Role is not valid"),
    ("execution role", {"executionRoleArn": "a b"}, "Role is not valid"),
    (
        "storage",
        {"ephemeralStorage": {"sizeInGiB": 30}},
        "Tasks using the EC2 launch type do not support EphemeralStorage.",
    ),
    (
        "accelerator",
        {"inferenceAcceleratorOverrides": [{"deviceName": "x"}]},
        "There is no inference accelerator 'x' in the TaskDefinition.",
    ),
    (
        "cpu of the containers",
        {"cpu": "256", **app(cpu=300)},
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
]
FARGATE_ROWS: list[Row] = [
    (
        "size",
        {"cpu": "1024"},
        "No Fargate configuration exists for given values: 1024 CPU, 512 memory. See the Amazon "
        "ECS documentation for the valid values.",
    ),
    (
        "storage",
        {"ephemeralStorage": {"sizeInGiB": 20}},
        "EphemeralStorage size should be at least 21",
    ),
    (
        "GPU",
        app(resourceRequirements=[{"type": "GPU", "value": "1"}]),
        "Tasks using the Fargate launch type do not support GPU resource requirements.",
    ),
]


@pytest.fixture
def ready(cluster: Any) -> Any:
    """A client in an account with a cluster and the families plain and far."""
    secret = {"name": "SECRET", "valueFrom": "x"}
    register(cluster, "plain", container(secrets=[secret]), executionRoleArn=ROLE)
    register_fargate(cluster, "far")
    return cluster


@pytest.mark.parametrize(
    ("overrides", "message"), [pytest.param(*row[1:], id=row[0]) for row in (*SEEN, *OURS)]
)
def test_refused(ready: Any, overrides: dict[str, Any], message: str) -> None:
    """Of OURS, the words, or that they come from RunTask, are not known of ECS."""
    answer = refusal(ready.run_task, taskDefinition="plain", overrides=overrides)
    assert answer == (INVALID, message)
    assert ready.list_tasks()["taskArns"] == []


@pytest.mark.parametrize(
    ("overrides", "message"), [pytest.param(*row[1:], id=row[0]) for row in FARGATE_ROWS]
)
def test_refused_on_fargate(ready: Any, overrides: dict[str, Any], message: str) -> None:
    answer = refusal(ready.run_task, taskDefinition="far", overrides=overrides, **ON_FARGATE)
    assert answer == (INVALID, message)


def test_longest(ready: Any) -> None:
    """It is characters that count, those of the JSON around them too."""
    frame = len(json.dumps(app(command=[""]), separators=(",", ":")))
    overrides = app(command=["é" * (8192 - frame + 1)])
    answer = refusal(ready.run_task, taskDefinition="plain", overrides=overrides)
    assert answer == (INVALID, "Container Overrides length must be at most 8192")
    run(ready, "plain", overrides=app(command=["é" * (8192 - frame)]))


@pytest.mark.documented
def test_sizes_are_shown(ready: Any) -> None:
    overrides = {
        "cpu": ".5 vCPU",
        "memory": "2GB",
        "ephemeralStorage": {"sizeInGiB": 50},
        "taskRoleArn": ROLE,
        "executionRoleArn": "short",
        **app(cpu=128, memory=1024, memoryReservation=512),
    }
    started = run(ready, "far", overrides=overrides, **ON_FARGATE)
    for shown in (started, task(ready, started["taskArn"])):
        assert (shown["cpu"], shown["memory"]) == ("512", "2048")
        assert shown["ephemeralStorage"] == shown["fargateEphemeralStorage"] == {"sizeInGiB": 50}
        assert shown["overrides"] == {
            "inferenceAcceleratorOverrides": [],
            **overrides,
            "cpu": "512",
            "memory": "2048",
        }
        (inner,) = shown["containers"]
        assert (inner["cpu"], inner["memory"], inner["memoryReservation"]) == ("128", "1024", "512")


def test_without_task_sizes_the_containers_count(ready: Any) -> None:
    register(ready, "two", container("app", cpu=10), container("b", cpu=20, memory=32))
    started = run(ready, "two", overrides=app(cpu=100, memory=200))
    assert (started["cpu"], started["memory"]) == ("120", "232")


@pytest.mark.documented
def test_overrides(cluster: Any, admin: AdminClient) -> None:
    register(
        cluster,
        "env",
        container(
            command=["sh", "-c", "exit 1"],
            environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        ),
        container("other", essential=False, command=SLEEP),
    )
    overrides = {
        "cpu": "512",
        "containerOverrides": [
            {
                "name": "app",
                "command": ["sh", "-c", "echo $A$B$C"],
                "environment": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
                "memory": 128,
            }
        ],
    }
    started = run(cluster, "env", overrides=overrides)
    assert started["overrides"] == {
        "cpu": "512",
        "containerOverrides": [overrides["containerOverrides"][0], {"name": "other"}],
        "inferenceAcceleratorOverrides": [],
    }
    assert started["cpu"] == "512"
    assert started["containers"][0]["memory"] == "128"
    wait_stopped(cluster, started["taskArn"])
    described = task(cluster, started["taskArn"])
    assert described["overrides"] == started["overrides"]
    assert described["containers"][0]["exitCode"] == 0
    assert admin.read_logs(started["taskArn"], "app").lines[0].raw == "123\n"
