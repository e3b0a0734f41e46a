"""What RegisterTaskDefinition accepts, at the edges of its rules, and how it comes back."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import container
from api_steps import of
from api_steps import register
from api_steps import register_fargate

pytestmark = pytest.mark.documented

ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/path/x"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-abcdef:key:stage:version"
CAPABILITY = "com.amazonaws.ecs.capability"


def after(name: str, condition: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


@pytest.mark.parametrize(
    "members",
    [
        {"containerDefinitions": [container(f"c{n}") for n in range(10)]},
        of(name="x" * 255),
        of(image="registry.example.com:5000/a_b/c-d.e:v1.2#x"),
        of(image="x@sha256:" + "aF0" * 21 + "a"),
        of(image="x" * 255 + "@sha256:" + "a" * 64),
        of(memory=4),
        of(memory=8, memoryReservation=8),
        {"memory": "0.5GB", "containerDefinitions": [{"name": "app", "image": "x"}]},
        {"cpu": "128", **of(cpu=128)},
        {"cpu": "196608"},
        {"memory": "64", **of(memory=64)},
        {
            "memory": "104",
            "containerDefinitions": [container("a", memoryReservation=40), container("b")],
        },
        of(startTimeout=2, stopTimeout=2),
        of(startTimeout=121, stopTimeout=121),
        of(healthCheck={"command": ["NONE"]}),
        of(healthCheck={"command": ["CMD", "x"], "interval": 5, "timeout": 60, "retries": 10}),
        of(healthCheck={"command": ["CMD-SHELL", "x"], "interval": 300, "startPeriod": 0}),
        of(restartPolicy={"enabled": False, "restartAttemptPeriod": 1800}),
        of(restartPolicy={"enabled": True, "ignoredExitCodes": list(range(50))}),
        {
            "containerDefinitions": [
                container("a", **after("b", "COMPLETE")),
                container("b", essential=False, **after("c", "START")),
                container("c"),
            ]
        },
        {**ROLE, **of(secrets=[{"name": "A", "valueFrom": SECRET}])},
        {**ROLE, **of(secrets=[{"name": "A", "valueFrom": "/path/name"}])},
        {
            **ROLE,
            **of(secrets=[{"name": "A", "valueFrom": "arn:aws:ssm:r:123456789012:parameter/x"}]),
        },
        of(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/dir/a.env"}] * 10),
        of(logConfiguration={"logDriver": "syslog", "options": {"syslog-address": "x"}}),
        {
            "containerDefinitions": [
                container("a", logConfiguration={"logDriver": "awsfirelens"}),
                container(
                    "b",
                    firelensConfiguration={
                        "type": "fluentbit",
                        "options": {
                            "config-file-type": "s3",
                            "config-file-value": "arn:aws:s3:::bucket/fluent.conf",
                        },
                    },
                ),
            ]
        },
        of(portMappings=[{"containerPort": 65535, "hostPort": 0}, {"containerPort": 1}]),
        of(portMappings=[{"containerPort": 53, "protocol": p} for p in ("tcp", "udp")]),
        of(portMappings=[{"containerPort": 80, "hostPort": port} for port in (8080, 8081)]),
        of(portMappings=[{"containerPortRange": r} for r in ("80-90", "91-99", "1-79")]),
        of(
            portMappings=[
                {"containerPortRange": "80-90"},
                {"containerPortRange": "80-90", "protocol": "udp"},
                {"containerPort": 91, "name": "a-1_b", "appProtocol": "grpc"},
            ]
        ),
        {"networkMode": "host", **of(portMappings=[{"containerPort": 80, "hostPort": 80}])},
        {"networkMode": "none"},
        {
            "containerDefinitions": [
                container("a", links=["b:db", "c"]),
                container("b"),
                container("c"),
            ]
        },
        of(ulimits=[{"name": "nofile", "softLimit": 5, "hardLimit": -1}]),
        of(ulimits=[{"name": "core", "softLimit": -1, "hardLimit": -1}]),
        of(
            linuxParameters={
                "swappiness": 100,
                "maxSwap": 0,
                "sharedMemorySize": 1,
                "tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["rw", "mode=1777"]}],
                "capabilities": {"add": ["ALL"], "drop": ["SYSLOG"]},
                "devices": [{"hostPath": "/dev/x", "permissions": ["read"]}],
            }
        ),
        of(systemControls=[{"namespace": "net.ipv4.ip_forward", "value": "1"}]),
        {
            "networkMode": "host",
            **of(systemControls=[{"namespace": "fs.mqueue.msg_max", "value": "1"}]),
        },
        of(resourceRequirements=[{"type": "GPU", "value": "ALL"}]),
        {
            "inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}],
            **of(resourceRequirements=[{"type": "InferenceAccelerator", "value": "d"}]),
        },
        {"volumes": [{"name": "v", "host": {}}, {"name": "w"}, {}]},
        {
            "volumes": [
                {
                    "name": "v",
                    "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True},
                }
            ]
        },
        {
            "volumes": [
                {
                    "name": "v",
                    "efsVolumeConfiguration": {
                        "fileSystemId": "fs-1",
                        "rootDirectory": "/",
                        "transitEncryption": "ENABLED",
                        "transitEncryptionPort": 2049,
                        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
                    },
                }
            ]
        },
        {
            "volumes": [{"name": "v", "configuredAtLaunch": True}],
            **of(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]),
        },
        {"placementConstraints": [{"type": "memberOf", "expression": "x" * 2000}] * 10},
        {"ephemeralStorage": {"sizeInGiB": 21}},
        {"ephemeralStorage": {"sizeInGiB": 200}},
        {"taskRoleArn": "short-name", **ROLE},
        {"requiresCompatibilities": ["EC2", "EXTERNAL"], "pidMode": "host", "ipcMode": "none"},
        {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}, "memory": "4"},
        {
            "networkMode": "awsvpc",
            "proxyConfiguration": {
                "containerName": "app",
                "properties": [
                    {"name": "IgnoredGID", "value": "1"},
                    {"name": "AppPorts", "value": "80,81"},
                    {"name": "ProxyIngressPort", "value": "15000"},
                    {"name": "ProxyEgressPort", "value": "15001"},
                ],
            },
        },
    ],
    ids=lambda members: str(members)[:60],
)
def test_accepted(ecs: Any, members: dict[str, Any]) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    definition = ecs.register_task_definition(**request)["taskDefinition"]
    given = request.pop("containerDefinitions")
    for member in {"cpu", "memory"} & request.keys():
        request[member] = definition[member]
    assert {name: definition[name] for name in request} == request
    for before, now in zip(given, definition["containerDefinitions"], strict=True):
        kept = {name: now[name] for name in before.keys() - {"portMappings", "healthCheck"}}
        assert kept == {name: before[name] for name in kept}
        for member in ("portMappings", "healthCheck"):
            assert contains(now.get(member), before.get(member))


def contains(now: Any, before: Any) -> bool:
    """Whether all that was given is there, with defaults or without."""
    if isinstance(before, dict):
        return all(contains(now[name], value) for name, value in before.items())
    if isinstance(before, list):
        return all(contains(*pair) for pair in zip(now, before, strict=True))
    return before is None or bool(now == before)


@pytest.mark.parametrize(
    "members",
    [
        of(stopTimeout=120, startTimeout=120),
        {"pidMode": "task"},
        of(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]}}),
        of(linuxParameters={"tmpfs": [{"containerPath": "/t", "size": 1}]}),
        {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
        {**ROLE, **of(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1")},
        {
            "cpu": "1024",
            "memory": "2048",
            "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
        },
    ],
    ids=str,
)
def test_accepted_on_fargate(ecs: Any, members: dict[str, Any]) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **FARGATE, **members}
    definition = ecs.register_task_definition(**request)["taskDefinition"]
    assert "FARGATE" in definition["compatibilities"]


@pytest.mark.captured
@pytest.mark.parametrize(
    ("cpu", "memory"),
    [("256", "512"), ("256", "2 GB"), ("1 vCPU", "8GB"), ("4096", "30720"), ("16384", "122880")],
)
def test_sizes_of_fargate(ecs: Any, cpu: str, memory: str) -> None:
    register_fargate(ecs, cpu=cpu, memory=memory)


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, ["EXTERNAL", "EC2"]),
        ({"networkMode": "host"}, ["EXTERNAL", "EC2"]),
        ({"networkMode": "awsvpc"}, ["EC2", "MANAGED_INSTANCES"]),
        (FARGATE, ["EC2", "MANAGED_INSTANCES", "FARGATE"]),
        (
            {
                "networkMode": "awsvpc",
                "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
            },
            ["EC2"],
        ),
        (
            {"networkMode": "host", "requiresCompatibilities": ["MANAGED_INSTANCES"]},
            ["EXTERNAL", "EC2", "MANAGED_INSTANCES"],
        ),
    ],
    ids=str,
)
def test_compatibilities(ecs: Any, members: dict[str, Any], expected: list[str]) -> None:
    definition = described(ecs, register(ecs, "app", **members))
    assert definition["compatibilities"] == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, set()),
        ({"networkMode": "awsvpc"}, {"ecs.capability.task-eni"}),
        ({"taskRoleArn": "x"}, {f"{CAPABILITY}.task-iam-role"}),
        ({"pidMode": "task"}, {"ecs.capability.pid-ipc-namespace-sharing"}),
        (of(stopTimeout=5), {"ecs.capability.container-ordering"}),
        (of(privileged=True), {f"{CAPABILITY}.privileged-container"}),
        (of(memoryReservation=5), {f"{CAPABILITY}.docker-remote-api.1.21"}),
        (
            of(healthCheck={"command": ["CMD", "x"]}),
            {"ecs.capability.container-health-check"},
        ),
        (
            of(restartPolicy={"enabled": True}),
            {"ecs.capability.container-restart-policy"},
        ),
        (
            of(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]),
            {"ecs.capability.env-files.s3"},
        ),
        (
            {
                **ROLE,
                **of(
                    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/x",
                    logConfiguration={
                        "logDriver": "awslogs",
                        "options": {"awslogs-group": "g", "awslogs-region": "r"},
                    },
                    secrets=[
                        {"name": "A", "valueFrom": SECRET},
                        {"name": "B", "valueFrom": "parameter"},
                    ],
                ),
            },
            {
                f"{CAPABILITY}.logging-driver.awslogs",
                f"{CAPABILITY}.docker-remote-api.1.19",
                f"{CAPABILITY}.ecr-auth",
                "ecs.capability.execution-role-awslogs",
                "ecs.capability.execution-role-ecr-pull",
                "ecs.capability.secrets.asm.environment-variables",
                "ecs.capability.secrets.ssm.environment-variables",
            },
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "efsVolumeConfiguration": {
                            "fileSystemId": "fs",
                            "transitEncryption": "ENABLED",
                            "authorizationConfig": {"iam": "ENABLED"},
                        },
                    }
                ]
            },
            {"ecs.capability.efs", "ecs.capability.efsAuth"},
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_required_attributes(ecs: Any, members: dict[str, Any], expected: set[str]) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    definition = ecs.register_task_definition(**request)["taskDefinition"]
    names = [attribute["name"] for attribute in definition["requiresAttributes"]]
    assert len(set(names)) == len(names)
    assert set(names) == {f"{CAPABILITY}.docker-remote-api.1.18", *expected}


def test_a_port_range_gets_no_host_port(ecs: Any) -> None:
    arn = register(ecs, "app", container(portMappings=[{"containerPortRange": "80-90"}]))
    (found,) = described(ecs, arn)["containerDefinitions"]
    assert found["portMappings"] == [{"containerPortRange": "80-90", "protocol": "tcp"}]


def described(ecs: Any, arn: str) -> Any:
    return ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
