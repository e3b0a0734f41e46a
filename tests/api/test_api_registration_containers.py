"""Containers by themselves: what RegisterTaskDefinition refuses
by rules that botocore's model states in prose.

The words are this server's own: nobody is known to have written down ECS's.
"""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import container
from api_steps import of
from api_steps import refusal

pytestmark = pytest.mark.inferred

Row = tuple[str, dict[str, Any], str]

CLIENT = "ClientException"
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/x"}
SETTING = "Invalid setting for container 'app'. "
CHECK = "The healthCheck of container 'app' "
ROUTER = {"firelensConfiguration": {"type": "fluentbit"}}
TO_ROUTER = {"logConfiguration": {"logDriver": "awsfirelens"}}


def checked(*command: str, **members: int) -> dict[str, Any]:
    return of(healthCheck={"command": list(command), **members})


def routed(**options: str) -> dict[str, Any]:
    router = container("router", firelensConfiguration={"type": "fluentd", "options": options})
    return {
        "containerDefinitions": [
            container(logConfiguration={"logDriver": "awsfirelens"}),
            router,
        ]
    }


def links(name: str) -> dict[str, Any]:
    return {"links": [f"{name}:alias"]}


def mounts(name: str) -> dict[str, Any]:
    return {"volumesFrom": [{"sourceContainer": name}]}


def waits(name: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": "START"}]}


def secret(name: str, source: str, **members: Any) -> dict[str, Any]:
    return {**ROLE, **of(secrets=[{"name": name, "valueFrom": source}], **members)}


CONTAINER: list[Row] = [
    ("long name", of(name="x" * 256), "Container.name should be 255 characters or less"),
    ("memory", of(memory=3), f"{SETTING}'memory' must be at least 4"),
    ("reservation", of(memoryReservation=3), f"{SETTING}'memoryReservation' must be at least 4"),
    (
        "reservation above memory",
        of(memory=8, memoryReservation=9),
        f"{SETTING}'memoryReservation' must be less than 'memory'.",
    ),
    ("cpu", of(cpu=-1), f"{SETTING}'cpu' must not be negative"),
    (
        "working directory",
        of(workingDirectory="/a\0b"),
        "The workingDirectory of container 'app' has a NUL in it.",
    ),
    *(
        (
            f"NUL in {member}",
            of(**{member: value}),
            f"The {member} of container 'app' has a NUL in it.",
        )
        for member, value in {
            "user": "a\0",
            "entryPoint": ["a", "\0"],
            "command": ["a", "\0"],
            "healthCheck": {"command": ["CMD", "a\0"]},
            "environment": [{"name": "A", "value": "\0"}],
        }.items()
    ),
    *(
        (
            f"{member} {value}",
            of(**{member: value}),
            f"The {member} of container 'app' has a blank or a control character in it.",
        )
        for member, value in (
            ("hostname", "a\0"),
            ("hostname", "a b"),
            ("extraHosts", [{"hostname": "db\n10.0.0.1 other", "ipAddress": "10.0.0.2"}]),
            ("extraHosts", [{"hostname": "db", "ipAddress": "10.0.0.2\tother"}]),
            ("dnsServers", ["10.0.0.2", "10.0.0.3\n"]),
            ("dnsSearchDomains", ["example\r.com"]),
        )
    ),
    (
        "NUL in a mount's path",
        {
            "volumes": [{"name": "v"}],
            **of(mountPoints=[{"sourceVolume": "v", "containerPath": "/a\0"}]),
        },
        "The mountPoints of container 'app' has a NUL in it.",
    ),
    (
        "equals sign",
        of(environment=[{"name": "A=B", "value": "x"}]),
        "The name of the variable 'A=B' in the environment of container 'app' has an equals sign "
        "in it.",
    ),
    (
        "search domains on awsvpc",
        {"networkMode": "awsvpc", **of(dnsSearchDomains=["x"])},
        "DNS search domains are not supported on container when networkMode=awsvpc.",
    ),
    ("no check", checked(), f"{CHECK}needs a command."),
    (
        "kind of check",
        checked("curl", "x"),
        f"{CHECK}must have a command that begins with CMD, CMD-SHELL or NONE.",
    ),
    ("empty check", checked("CMD"), f"{CHECK}has nothing to run after CMD."),
    ("empty shell check", checked("CMD-SHELL", ""), f"{CHECK}has nothing to run after CMD-SHELL."),
    *(
        (
            f"{member} {value}",
            checked("CMD", "x", **{member: value}),
            f"{CHECK}must have {member} between {lowest} and {highest}.",
        )
        for member, lowest, highest in (
            ("interval", 5, 300),
            ("timeout", 2, 60),
            ("retries", 1, 10),
            ("startPeriod", 0, 300),
        )
        for value in (lowest - 1, highest + 1)
    ),
    *(
        (
            f"restart after {period}",
            of(restartPolicy={"enabled": True, "restartAttemptPeriod": period}),
            "The 'restartAttemptPeriod' setting for container 'app' must be between 60 and 1800.",
        )
        for period in (59, 1801)
    ),
    (
        "51 exit codes",
        of(restartPolicy={"enabled": True, "ignoredExitCodes": list(range(51))}),
        "The 'ignoredExitCodes' setting for container 'app' can have at most 50 exit codes.",
    ),
    (
        "dependency twice",
        {
            "containerDefinitions": [
                container(dependsOn=[{"containerName": "b", "condition": "START"}] * 2),
                container("b"),
            ]
        },
        "The dependsOn of container 'app' names a container more than once.",
    ),
    *(
        (
            f"order by {first.__name__} and {second.__name__}",
            {"containerDefinitions": [container("a", **first("b")), container("b", **second("a"))]},
            "The dependsOn, links and volumesFrom of the containers form a cycle.",
        )
        for first, second in ((links, links), (links, mounts), (mounts, waits), (waits, links))
    ),
    (
        "link to itself",
        of(**links("app")),
        "The dependsOn, links and volumesFrom of the containers form a cycle.",
    ),
    (
        "variable without name",
        of(environment=[{"value": "x"}]),
        "A variable in the environment of container 'app' has no name.",
    ),
    (
        "extension of an environment file",
        of(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.txt"}]),
        "The environment file 'arn:aws:s3:::b/a.txt' must have the extension .env.",
    ),
    (
        "bucket as an environment file",
        of(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b.env"}]),
        "Invalid arn syntax.",
    ),
    *(
        (
            f"secret {name}={source}",
            secret(name, source),
            "A secret of container 'app' has no name or no valueFrom.",
        )
        for name, source in (("", "x"), ("A", ""))
    ),
    *(
        (
            f"secret in {arn}",
            secret("A", arn),
            "The valueFrom of secret 'A' must be a secret of Secrets Manager or a parameter of "
            "the SSM Parameter Store.",
        )
        for arn in (
            "arn:aws:s3:::bucket/key",
            "arn:aws:ssm:us-east-1:123456789012:document/x",
            "arn:aws:secretsmanager:us-east-1:123456789012:x",
        )
    ),
    (
        "name of a parameter",
        secret("A", "a b"),
        "The valueFrom of secret 'A' is neither an ARN nor a name.",
    ),
    (
        "secret and variable",
        secret("A", "p", environment=[{"name": "A", "value": "1"}]),
        "The secret name must be unique and not shared with any new or existing environment "
        "variables set on the container, such as 'A'.",
    ),
    (
        "same secrets",
        {**ROLE, **of(secrets=[{"name": "A", "valueFrom": "p"}] * 2)},
        "The secret name must be unique and not shared with any new or existing environment "
        "variables set on the container, such as 'A'.",
    ),
    (
        "secret of a log driver",
        of(
            logConfiguration={
                "logDriver": "syslog",
                "secretOptions": [{"name": "x", "valueFrom": "y"}],
            }
        ),
        "When you are specifying container secrets, you must also specify a value for "
        "'executionRoleArn'",
    ),
    (
        "no registry secret",
        of(repositoryCredentials={"credentialsParameter": ""}),
        "repositoryCredentials.credentialsParameter should not be null or empty.",
    ),
    (
        "registry secret",
        of(repositoryCredentials={"credentialsParameter": "arn:x"}),
        "Invalid arn syntax.",
    ),
    (
        "two credential specs",
        of(credentialSpecs=["credentialspec:arn:aws:s3:::b/a"] * 2),
        "Container 'app' can have at most one credential spec.",
    ),
    ("credential spec", of(credentialSpecs=["arn:aws:s3:::b/a"]), "Invalid arn syntax."),
    (
        "splunk",
        of(logConfiguration={"logDriver": "splunk", "options": {"splunk-url": "u"}}),
        "Log driver splunk requires options: splunk-token, splunk-url",
    ),
    (
        "two routers",
        {
            "containerDefinitions": [
                container(**TO_ROUTER),
                container("a", **ROUTER),
                container("b", **ROUTER),
            ]
        },
        "Only one container of a task definition can have a firelensConfiguration object.",
    ),
    (
        "router into itself",
        of(**ROUTER, **TO_ROUTER),
        "The container with the firelensConfiguration object cannot log to itself.",
    ),
    (
        "router's metadata",
        routed(**{"enable-ecs-log-metadata": "yes"}),
        "The FireLens option enable-ecs-log-metadata must be true or false.",
    ),
    (
        "router's kind of file",
        routed(**{"config-file-type": "http", "config-file-value": "x"}),
        "The FireLens option config-file-type must be s3 or file.",
    ),
    *(
        (
            f"router's {name} alone",
            routed(**{name: "file"}),
            "The FireLens options config-file-type and config-file-value go together.",
        )
        for name in ("config-file-type", "config-file-value")
    ),
]


@pytest.mark.parametrize(
    ("members", "message"), [pytest.param(*row[1:], id=row[0]) for row in CONTAINER]
)
def test_refused(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
    assert ecs.list_task_definition_families()["families"] == []
