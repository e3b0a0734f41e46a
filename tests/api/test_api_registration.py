"""What RegisterTaskDefinition refuses, in the words that ECS was seen to use (ecs-facts 4.2 to 4.4,
and public reports of refusals). One thing is broken in each row.
"""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import container
from api_steps import of
from api_steps import refusal
from api_steps import rows

pytestmark = pytest.mark.captured

Row = tuple[str, dict[str, Any], str]

INVALID = "InvalidParameterException"
CLIENT = "ClientException"

EXECUTION_ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/x"}
AWSLOGS = {"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
TO_ROUTER = {"logConfiguration": {"logDriver": "awsfirelens"}}
ROUTER = container("router", essential=False, firelensConfiguration={"type": "fluentbit"})


def after(name: str, condition: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def logging_to(driver: str, **options: str) -> dict[str, Any]:
    return {"logConfiguration": {"logDriver": driver, "options": options}}


def from_s3(value: str) -> dict[str, Any]:
    options = {"config-file-type": "s3", "config-file-value": value}
    return container("router", firelensConfiguration={"type": "fluentbit", "options": options})


def efs(**members: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs", **members}}]}


ANY_LAUNCH_TYPE: list[Row] = [
    ("no containers", {"containerDefinitions": []}, "Container list cannot be empty."),
    (
        "eleven containers",
        {"containerDefinitions": [container(f"c{n}") for n in range(11)]},
        "Too many containers.",
    ),
    (
        "no name",
        {"containerDefinitions": [{"image": "x", "memory": 8}]},
        "Container.name should not be null or empty.",
    ),
    ("empty name", of(name=""), "Container.name should not be null or empty."),
    (
        "no image",
        {"containerDefinitions": [{"name": "x", "memory": 8}]},
        "Container.image should not be null or empty.",
    ),
    ("empty image", of(image=""), "Container.image should not be null or empty."),
    ("name", of(name="a b"), "Container.name contains invalid characters."),
    ("image", of(image="$IMAGE"), "Container.image contains invalid characters."),
    ("image with a space", of(image="x:1 "), "Container.image contains invalid characters."),
    ("digest", of(image="x@sha256:12"), "Container.image contains invalid characters."),
    (
        "long image",
        of(image="x" * 256),
        "Container.image should be 255 characters or less",
    ),
    (
        "same names",
        {"containerDefinitions": [container(), container()]},
        "Container names must be unique within a Task Definition.",
    ),
    (
        "none essential",
        of(essential=False),
        "Task definition doesn't have any essential container.",
    ),
    (
        "no memory",
        {"containerDefinitions": [{"name": "app", "image": "x"}]},
        "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' "
        "must be specified.",
    ),
    *(
        (
            f"host port on {mode}",
            {"networkMode": mode, **of(portMappings=[{"containerPort": 80, "hostPort": 81}])},
            f"When networkMode={mode}, the host ports and container ports in port mappings must "
            "match.",
        )
        for mode in ("awsvpc", "host")
    ),
    *(
        (
            f"{member} on awsvpc",
            {"networkMode": "awsvpc", **of(**{member: value})},
            f"{subject} not supported on container when networkMode=awsvpc.",
        )
        for member, value, subject in (
            ("hostname", "h", "hostname is"),
            ("extraHosts", [{"hostname": "h", "ipAddress": "1.1.1.1"}], "Extra hosts are"),
            ("dnsServers", ["1.1.1.1"], "DNS servers are"),
            ("disableNetworking", True, "Disable Networking is"),
        )
    ),
    (
        "links on awsvpc",
        {"networkMode": "awsvpc", **of(links=["x"])},
        "Links are not supported when networkMode=awsvpc.",
    ),
    (
        "dependency on nothing",
        of(**after("x", "START")),
        "Cannot depend on container + 'x' because it does not exist",
    ),
    (
        "dependency on itself",
        of(**after("app", "START")),
        "Container dependsOn contains a cycle",
    ),
    (
        "cycle",
        {
            "containerDefinitions": [
                container("a", **after("b", "START")),
                container("b", **after("c", "START")),
                container("c", **after("a", "START")),
            ]
        },
        "Container dependsOn contains a cycle",
    ),
    *(
        (
            f"{condition} of an essential container",
            {"containerDefinitions": [container("a", **after("b", condition)), container("b")]},
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
            "container",
        )
        for condition in ("SUCCESS", "COMPLETE")
    ),
    *(
        (
            f"HEALTHY with {checks}",
            {
                "containerDefinitions": [
                    container("a", **after("b", "HEALTHY")),
                    container("b", **checks),
                ]
            },
            "A dependency container with HEALTHY condition must have health check configured",
        )
        for checks in ({}, {"healthCheck": {"command": ["NONE"]}})
    ),
    *(
        (
            f"{word} timeout",
            of(**{f"{word}Timeout": 1}),
            f"Granular {word} timeout on container 'app' must be at least 2 seconds.",
        )
        for word in ("start", "stop")
    ),
    *(
        (
            f"awslogs with {options}",
            of(**logging_to("awslogs", **options)),
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        )
        for options in ({}, {"awslogs-group": "g"}, {"awslogs-region": "r", "awslogs-group": ""})
    ),
    (
        "no router",
        of(**TO_ROUTER),
        "When awsfirelens log driver is specified in log configuration, a firelens configuration "
        "object must be configured in one of the containers.",
    ),
    (
        "nobody logs to the router",
        {"containerDefinitions": [container(), ROUTER]},
        "When a firelensConfiguration object is specified, at least one container has to be "
        "configured with the awsfirelens log driver.",
    ),
    (
        "configuration of the router",
        {"containerDefinitions": [container("a", **TO_ROUTER), from_s3("s3://bucket/key")]},
        "Invalid arn syntax.",
    ),
    (
        "secrets without role",
        of(secrets=[{"name": "A", "valueFrom": "b"}]),
        "When you are specifying container secrets, you must also specify a value for "
        "'executionRoleArn'",
    ),
    (
        "ARN of a secret",
        {**EXECUTION_ROLE, **of(secrets=[{"name": "A", "valueFrom": "arn:b"}])},
        "Invalid arn syntax.",
    ),
    (
        "ARN of an environment file",
        of(environmentFiles=[{"type": "s3", "value": "s3://bucket/a.env"}]),
        "Invalid arn syntax.",
    ),
    (
        "eleven environment files",
        of(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}] * 11),
        "The maximum number of environment files was exceeded. Specify ten or less and try again.",
    ),
    *(
        (f"{member} {role}", {member: role}, "Role is not valid")
        for member in ("taskRoleArn", "executionRoleArn")
        for role in ("arn:aws:iam", "a role", "arn:aws:s3:::bucket")
    ),
    ("unknown volume", of(mountPoints=[{"sourceVolume": "x"}]), "Unknown volume 'x'."),
    (
        "no volume",
        of(mountPoints=[{"containerPath": "/x"}]),
        "Unknown volume 'null'.",
    ),
    (
        "volumes of nobody",
        of(volumesFrom=[{"sourceContainer": "x"}]),
        "Invalid 'volumesFrom' setting. Unknown container: 'x'",
    ),
    (
        "two kinds of volume",
        {
            "volumes": [
                {
                    "name": "v",
                    "host": {"sourcePath": "/x"},
                    "dockerVolumeConfiguration": {"scope": "task"},
                }
            ]
        },
        "When the volume parameter is specified, only one volume configuration type should be "
        "used.",
    ),
    (
        "blank path",
        {"volumes": [{"name": "v", "host": {"sourcePath": ""}}]},
        "host.sourcePath should not be blank.",
    ),
    (
        "EFS IAM",
        efs(authorizationConfig={"iam": "ENABLED"}),
        "EFS IAM authorization requires TransitEncryption to be enabled.",
    ),
    (
        "EFS root",
        efs(
            transitEncryption="ENABLED",
            rootDirectory="/x",
            authorizationConfig={"accessPointId": "fsap-1"},
        ),
        'When using an EFS access point, the root directory must either be set to "/" or be '
        "omitted.",
    ),
    (
        "EFS port",
        efs(transitEncryptionPort=2049),
        "TransitEncryptionPort requires that TransitEncryption is enabled.",
    ),
    (
        "volume at launch that nobody mounts",
        {"volumes": [{"name": "v", "configuredAtLaunch": True}]},
        "Volumes [v] are not referenced by any of the containers.",
    ),
    (
        "cpu of containers",
        {"cpu": "256", **of(cpu=257)},
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
    (
        "memory of a container",
        {"memory": "512", **of(memory=513)},
        "The 'memory' setting for container 'app' is greater than for the task.",
    ),
    (
        "proxy",
        {"networkMode": "awsvpc", "proxyConfiguration": {"containerName": "envoy"}},
        "Proxy container [envoy] does not exist",
    ),
    ("no tags", {"tags": []}, "Tags can not be empty."),
    ("tag without value", {"tags": [{"key": "a"}]}, "Tag value can not be null."),
    *(
        (f"family {family!r:.20}", {"family": family}, "Family contains invalid characters.")
        for family in ("", "a:1", "a/b", "a b", "é", "x" * 256)
    ),
    (
        "little storage",
        {"ephemeralStorage": {"sizeInGiB": 20}},
        "EphemeralStorage size should be at least 21",
    ),
    (
        "much storage",
        {"ephemeralStorage": {"sizeInGiB": 201}},
        "EphemeralStorage size should be at most 200",
    ),
]

ON_FARGATE: list[Row] = [
    *(
        (
            f"mode {mode}",
            {"networkMode": mode},
            "Fargate only supports network mode \u2018awsvpc\u2019.",
        )
        for mode in ("bridge", "host", "none", None)
    ),
    *(
        (
            f"no {member}",
            {member: None},
            f"Fargate requires that '{member}' be defined at the task level.",
        )
        for member in ("cpu", "memory")
    ),
    *(
        (
            f"size {cpu} {memory}",
            {"cpu": cpu, "memory": memory},
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See "
            "the Amazon ECS documentation for the valid values.",
        )
        for cpu, memory in (("256", "4096"), ("300", "512"), ("1024", "1024"), ("196608", "512"))
    ),
    (
        "log driver",
        of(**logging_to("json-file")),
        "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
    ),
    (
        "awslogs without role",
        of(**logging_to("awslogs", **AWSLOGS)),
        "Fargate requires task definition to have execution role ARN to support log driver "
        "awslogs.",
    ),
    (
        "ECR without role",
        of(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/x"),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    (
        "stop timeout",
        of(stopTimeout=121),
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 "
        "seconds.",
    ),
    (
        "pid mode",
        {"pidMode": "host"},
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value "
        "for pidMode is 'task'.",
    ),
    (
        "GPU",
        of(resourceRequirements=[{"type": "GPU", "value": "1"}]),
        "Tasks using the Fargate launch type do not support GPU resource requirements.",
    ),
    (
        "configuration of the router",
        {
            "containerDefinitions": [
                container("a", **TO_ROUTER),
                from_s3("arn:aws:s3:::bucket/fluent.conf"),
            ]
        },
        "Fargate launch type does not support FirelensConfiguration config file from 's3'",
    ),
    (
        "privileged",
        of(privileged=True),
        "Fargate requires that the 'privileged' setting be 'false'.",
    ),
    *(
        (
            f"not {member}",
            members,
            f"Fargate compatible task definitions do not support {member}.",
        )
        for member, members in (
            ("ipcMode", {"ipcMode": "task"}),
            ("sourcePath", {"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]}),
            (
                "dockerVolumeConfiguration",
                {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]},
            ),
            ("constraints", {"placementConstraints": [{"type": "memberOf", "expression": "x"}]}),
            ("dockerSecurityOptions", of(dockerSecurityOptions=["no-new-privileges"])),
            ("devices", of(linuxParameters={"devices": [{"hostPath": "/dev/x"}]})),
            ("sharedMemorySize", of(linuxParameters={"sharedMemorySize": 64})),
            ("maxSwap", of(linuxParameters={"maxSwap": 0})),
        )
    ),
]

INFERRED = ("eleven", "links on", "unknown volume", "no volume", "family", "little", "much")
"""How the names of rows begin whose words are not known from AWS."""

INFERRED_ON_FARGATE = ("pid mode", "not ")


@pytest.mark.parametrize(("members", "message"), rows(ANY_LAUNCH_TYPE, INFERRED))
def test_refused(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
    assert ecs.list_task_definition_families()["families"] == []


@pytest.mark.parametrize(("members", "message"), rows(ON_FARGATE, INFERRED_ON_FARGATE))
def test_refused_on_fargate(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **FARGATE, **members}
    request = {name: value for name, value in request.items() if value is not None}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
    if request.get("networkMode") == "awsvpc":
        # Without being asked for, Fargate is only left out.
        del request["requiresCompatibilities"]
        answer = ecs.register_task_definition(**request)
        assert answer["taskDefinition"]["compatibilities"] == ["EC2", "MANAGED_INSTANCES"]


@pytest.mark.parametrize(
    "cpu",
    ["many", "", "0", "-1", "127", "196609", "9" * 5000, "9" * 400 + "vCPU"],
    ids="{:.9}".format,
)
def test_bad_task_cpu(ecs: Any, cpu: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], "cpu": cpu}
    answer = refusal(ecs.register_task_definition, **request)
    assert answer == (INVALID, "Invalid 'cpu' setting for task.")


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
        "memory": "1",
        "containerDefinitions": [{"essential": False, "name": "app", "image": ""}],
    }
    mend: list[tuple[str, dict[str, Any]]] = [
        ("Invalid 'cpu'", {"cpu": "256"}),
        ("Fargate only supports", {"networkMode": "awsvpc"}),
        ("Task definition doesn't", {"containerDefinitions": [{"name": "app", "image": ""}]}),
        ("Container.image", {"containerDefinitions": [container(stopTimeout=1)]}),
        ("Granular stop timeout", of(**after("app", "START"))),
        ("Container dependsOn contains a cycle", {"containerDefinitions": [container()]}),
        ("No Fargate configuration", {"memory": "512"}),
    ]
    for message, members in mend:
        assert refusal(ecs.register_task_definition, **broken)[1].startswith(message)
        broken |= members
    ecs.register_task_definition(**broken)


def test_the_first_broken_container_is_reported(ecs: Any) -> None:
    containers = [container("a"), container("b", stopTimeout=1), container("c", image="$")]
    answer = refusal(ecs.register_task_definition, family="app", containerDefinitions=containers)
    assert answer[1].startswith("Granular stop timeout on container 'b'")
