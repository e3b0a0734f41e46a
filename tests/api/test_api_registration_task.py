"""The task, its volumes, Fargate: what RegisterTaskDefinition refuses
by rules that botocore's model states in prose.

The words are this server's own: nobody is known to have written down ECS's.
"""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import container
from api_steps import of
from api_steps import refusal

pytestmark = pytest.mark.inferred

Row = tuple[str, dict[str, Any], str]

CLIENT = "ClientException"
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/x"}
WINDOWS = {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}
MANAGED = {"networkMode": "awsvpc", "requiresCompatibilities": ["MANAGED_INSTANCES"]}
AT_LAUNCH = {"configuredAtLaunch": True}


def constrained(*constraints: dict[str, str]) -> dict[str, Any]:
    return {"placementConstraints": list(constraints)}


def proxied(*without: str, **properties: str) -> dict[str, Any]:
    given = {
        "IgnoredUID": "1",
        "AppPorts": "80",
        "ProxyIngressPort": "15000",
        "ProxyEgressPort": "15001",
        **properties,
    }
    pairs = [{"name": k, "value": v} for k, v in given.items() if k not in without]
    proxy = {"type": "APPMESH", "containerName": "app", "properties": pairs}
    return {"networkMode": "awsvpc", "proxyConfiguration": proxy}


def volume(**members: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **members}]}


def linux(**parameters: Any) -> dict[str, Any]:
    return of(linuxParameters=parameters)


TASK: list[Row] = [
    ("memory", {"memory": "much"}, "Invalid 'memory' setting for task."),
    ("endless memory", {"memory": "9" * 5000}, "Invalid 'memory' setting for task."),
    (
        "memory of the containers",
        {
            "memory": "100",
            "containerDefinitions": [
                container("a", memory=90, memoryReservation=60),
                container("b", memory=41),
            ],
        },
        "The sum of all container 'memoryReservation' or 'memory' values cannot be greater than "
        "the value of the task 'memory'.",
    ),
    (
        "eleven constraints",
        constrained(*[{"type": "memberOf", "expression": "x"}] * 11),
        "Maximum number of constraints is 10.",
    ),
    (
        "type of a constraint",
        constrained({"expression": "x"}),
        "constraint.type should not be null or empty.",
    ),
    (
        "no expression",
        constrained({"type": "memberOf"}),
        "constraint.expression should not be null or empty.",
    ),
    (
        "long expression",
        constrained({"type": "memberOf", "expression": "x" * 2001}),
        "constraint.expression should be 2000 characters or less.",
    ),
    (
        "proxy on bridge",
        {**proxied(), "networkMode": "bridge"},
        "APPMESH proxy configuration is only supported in networkMode=awsvpc.",
    ),
    (
        "proxy's user",
        proxied("IgnoredUID"),
        "The proxy configuration needs IgnoredUID or IgnoredGID.",
    ),
    ("proxy's app", proxied("AppPorts"), "App ports not found"),
    ("proxy's ingress", proxied("ProxyIngressPort"), "Ingress port not found"),
    ("proxy's egress", proxied("ProxyEgressPort"), "Egress port not found"),
    (
        "proxy's port",
        proxied(ProxyEgressPort="x"),
        "The proxy configuration's ProxyEgressPort is not a port: 'x'.",
    ),
    (
        "same accelerators",
        {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}] * 2},
        "The deviceName of inference accelerators must be unique within a Task Definition.",
    ),
    (
        "accelerator of nobody",
        {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}]},
        "The inference accelerator 'd' is not referenced by any container.",
    ),
    (
        "no attestation",
        {**MANAGED, "trustedExecutionConfiguration": {"isolationMode": "CONFIDENTIAL_SANDBOX"}},
        "An attestationPolicy is required when isolationMode is CONFIDENTIAL_SANDBOX.",
    ),
    (
        "trusted elsewhere",
        {"trustedExecutionConfiguration": {"isolationMode": "SHARED"}},
        "Trusted execution is supported only by task definitions that require the compatibility "
        "MANAGED_INSTANCES.",
    ),
    (
        "external awsvpc",
        {"requiresCompatibilities": ["EXTERNAL"], "networkMode": "awsvpc"},
        "External instances do not support networkMode=awsvpc.",
    ),
    (
        "managed bridge",
        {**MANAGED, "networkMode": "bridge"},
        "Managed Instances only support the network modes awsvpc and host.",
    ),
    (
        "managed Windows",
        {**MANAGED, **WINDOWS},
        "Managed Instances do not support Windows containers.",
    ),
    (
        "managed logs",
        {**MANAGED, **of(logConfiguration={"logDriver": "syslog"})},
        "syslog is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens,json-file]",
    ),
    (
        "storage on EC2",
        {"requiresCompatibilities": ["EC2"], "ephemeralStorage": {"sizeInGiB": 30}},
        "Tasks using the EC2 launch type do not support EphemeralStorage.",
    ),
    (
        "ARM of Windows",
        {"runtimePlatform": {**WINDOWS["runtimePlatform"], "cpuArchitecture": "ARM64"}},
        "Windows containers do not support the cpuArchitecture ARM64.",
    ),
    (
        "mode of Windows",
        {**WINDOWS, "networkMode": "host"},
        "Windows containers do not support networkMode=host.",
    ),
    *(
        (
            f"{member} of Windows",
            {**WINDOWS, member: "task"},
            f"Windows containers do not support {member}.",
        )
        for member in ("pidMode", "ipcMode")
    ),
    *(
        (
            f"{member} of Windows",
            {**WINDOWS, **of(**{member: value})},
            f"Windows containers do not support {member}.",
        )
        for member, value in (
            ("linuxParameters", {"initProcessEnabled": True}),
            ("user", "x"),
            ("disableNetworking", True),
            ("privileged", True),
            ("readonlyRootFilesystem", True),
            ("dnsServers", ["1.1.1.1"]),
            ("dnsSearchDomains", ["x"]),
            ("extraHosts", [{"hostname": "h", "ipAddress": "1.1.1.1"}]),
            ("ulimits", [{"name": "nofile", "softLimit": 1, "hardLimit": 1}]),
        )
    ),
]

VOLUMES: list[Row] = [
    (
        "same volumes",
        {"volumes": [{"name": "v"}, {"name": "v"}]},
        "Volume names must be unique within a Task Definition.",
    ),
    ("name", {"volumes": [{"name": "a b"}]}, "Volume.name contains invalid characters."),
    *(
        (
            f"{kind} without name",
            {"volumes": [{kind: value}]},
            "Volume.name should not be null or empty.",
        )
        for kind, value in (
            ("efsVolumeConfiguration", {"fileSystemId": "fs"}),
            ("s3filesVolumeConfiguration", {"fileSystemArn": "arn:aws:s3files:r:1:fs/x"}),
            ("configuredAtLaunch", True),
        )
    ),
    (
        "path of a mount",
        {"volumes": [{"name": "v"}], **of(mountPoints=[{"sourceVolume": "v"}])},
        "A mount point of container 'app' has no containerPath.",
    ),
    *(
        (
            f"autoprovision of {scope}",
            volume(dockerVolumeConfiguration={"autoprovision": True, **scope}),
            "The autoprovision of a Docker volume can only be set when its scope is shared.",
        )
        for scope in ({}, {"scope": "task"})
    ),
    (
        "driver on Windows",
        {**WINDOWS, **volume(dockerVolumeConfiguration={"driver": "nfs"})},
        "Windows containers only support the volume driver local.",
    ),
    (
        "access point without encryption",
        volume(
            efsVolumeConfiguration={
                "fileSystemId": "fs",
                "authorizationConfig": {"accessPointId": "fsap-1"},
            }
        ),
        "An EFS access point requires TransitEncryption to be enabled.",
    ),
    (
        "EFS port",
        volume(
            efsVolumeConfiguration={
                "fileSystemId": "fs",
                "transitEncryption": "ENABLED",
                "transitEncryptionPort": 65536,
            }
        ),
        "TransitEncryptionPort is not between 1 and 65535.",
    ),
    *(
        (f"S3 {member}", volume(s3filesVolumeConfiguration=files), "Invalid arn syntax.")
        for member, files in (
            ("file system", {"fileSystemArn": "fs"}),
            ("access point", {"fileSystemArn": "arn:aws:s3files:r:1:fs/x", "accessPointArn": "x"}),
        )
    ),
    (
        "S3 root",
        volume(
            s3filesVolumeConfiguration={
                "fileSystemArn": "arn:aws:s3files:r:1:fs/x",
                "accessPointArn": "arn:aws:s3files:r:1:ap/x",
                "rootDirectory": "/x",
            }
        ),
        'When using an S3 Files access point, the root directory must either be set to "/" or be '
        "omitted.",
    ),
    (
        "two volumes at launch",
        {"volumes": [{"name": "a", **AT_LAUNCH}, {"name": "b", **AT_LAUNCH}]},
        "A task definition can have only one volume that is configured at launch.",
    ),
    (
        "FSx on Linux",
        {
            "runtimePlatform": {"operatingSystemFamily": "LINUX"},
            **volume(
                fsxWindowsFileServerVolumeConfiguration={
                    "fileSystemId": "fs",
                    "rootDirectory": "/",
                    "authorizationConfig": {"credentialsParameter": "x", "domain": "y"},
                }
            ),
        },
        "Linux containers do not support fsxWindowsFileServerVolumeConfiguration.",
    ),
]

ON_FARGATE: list[Row] = [
    (
        "stream prefix",
        {
            **ROLE,
            **of(
                logConfiguration={
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": "g", "awslogs-region": "r"},
                }
            ),
        },
        "Fargate requires log configuration options to include awslogs-stream-prefix to support "
        "log driver awslogs.",
    ),
    (
        "registry without role",
        of(repositoryCredentials={"credentialsParameter": "secret"}),
        "Fargate requires task definition to have execution role ARN to support private registry "
        "images.",
    ),
    (
        "start timeout",
        of(startTimeout=121),
        "Tasks using the Fargate launch type must have a container start timeout of less than 120 "
        "seconds.",
    ),
    (
        "capability",
        linux(capabilities={"add": ["NET_ADMIN"]}),
        "NET_ADMIN is not allowed on Fargate.",
    ),
    (
        "swappiness",
        linux(swappiness=0),
        "Fargate compatible task definitions do not support swappiness.",
    ),
    (
        "little Windows",
        WINDOWS,
        "No Fargate configuration exists for given values: 256 CPU, 512 memory. See the Amazon "
        "ECS documentation for the valid values.",
    ),
    (
        "FSx",
        volume(
            fsxWindowsFileServerVolumeConfiguration={
                "fileSystemId": "fs",
                "rootDirectory": "/",
                "authorizationConfig": {"credentialsParameter": "x", "domain": "y"},
            }
        ),
        "Fargate compatible task definitions do not support "
        "fsxWindowsFileServerVolumeConfiguration.",
    ),
]


@pytest.mark.parametrize(
    ("members", "message"), [pytest.param(*row[1:], id=row[0]) for row in (*TASK, *VOLUMES)]
)
def test_refused(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
    assert ecs.list_task_definition_families()["families"] == []


@pytest.mark.parametrize(
    ("members", "message"), [pytest.param(*row[1:], id=row[0]) for row in ON_FARGATE]
)
def test_refused_on_fargate(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **FARGATE, **members}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
