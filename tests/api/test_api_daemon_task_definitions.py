"""Daemon task definitions: what is refused, kept, listed and deleted (the model's words)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import refusal
from api_steps import seen
from service_steps import PREFIX

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

CLIENT = "ClientException"
CONTAINER = {"name": "agent", "image": "busybox:1.36"}


def register(ecs: Any, family: str = "d", **params: Any) -> str:
    request = {"family": family, "containerDefinitions": [CONTAINER], **params}
    return str(ecs.register_daemon_task_definition(**request)["daemonTaskDefinitionArn"])


def described(ecs: Any, reference: str) -> Any:
    answer = ecs.describe_daemon_task_definition(daemonTaskDefinition=reference)
    return answer["daemonTaskDefinition"]


def listed(ecs: Any, **params: Any) -> list[str]:
    answer = ecs.list_daemon_task_definitions(**params)
    return [each["arn"].rpartition("/")[2] for each in answer["daemonTaskDefinitions"]]


def test_a_revision_has_its_family_and_the_defaults(ecs: Any) -> None:
    assert register(ecs) == f"{PREFIX}daemon-task-definition/d:1"
    assert register(ecs) == f"{PREFIX}daemon-task-definition/d:2"
    definition = described(ecs, "d")
    assert definition.pop("registeredAt")
    assert definition == {
        "daemonTaskDefinitionArn": f"{PREFIX}daemon-task-definition/d:2",
        "family": "d",
        "revision": 2,
        "status": "ACTIVE",
        "registeredBy": "arn:aws:iam::123456789012:root",
        "pidMode": "none",
        "ipcMode": "none",
        "volumes": [],
        "containerDefinitions": [
            {
                **CONTAINER,
                "cpu": 0,
                "essential": True,
                "environment": [],
                "mountPoints": [],
                "systemControls": [],
            }
        ],
    }


def test_what_is_registered_is_given_back(ecs: Any) -> None:
    first = {
        **CONTAINER,
        "memory": 64,
        "memoryReservation": 32,
        "cpu": 10,
        "essential": True,
        "healthCheck": {"command": ["CMD", "true"], "interval": 5, "timeout": 2, "retries": 1},
        "entryPoint": ["sh", "-c"],
        "command": ["sleep 1000"],
        "workingDirectory": "/tmp",
        "environment": [{"name": "A", "value": "1"}],
        "environmentFiles": [{"value": "arn:aws:s3:::b/a.env", "type": "s3"}],
        "secrets": [{"name": "S", "valueFrom": "/app/s"}],
        "readonlyRootFilesystem": True,
        "mountPoints": [{"sourceVolume": "logs", "containerPath": "/logs", "readOnly": True}],
        "logConfiguration": {"logDriver": "json-file"},
        "privileged": True,
        "user": "root",
        "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
        "linuxParameters": {
            "capabilities": {"add": ["SYS_ADMIN", "BPF", "PERFMON"]},
            "initProcessEnabled": True,
        },
        "startTimeout": 10,
        "stopTimeout": 10,
        "systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}],
        "interactive": True,
        "pseudoTerminal": True,
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60},
        "repositoryCredentials": {"credentialsParameter": "secret"},
    }
    second = {**CONTAINER, "name": "other"}
    second["dependsOn"] = [{"containerName": "agent", "condition": "START"}]  # type: ignore[assignment]
    request = {
        "containerDefinitions": [first, second],
        "taskRoleArn": "role",
        "executionRoleArn": "arn:aws:iam::123456789012:role/e",
        "cpu": "256",
        "memory": "512",
        "volumes": [
            {"name": "logs", "host": {"sourcePath": "/var/log"}},
            {"name": "of-tasks", "logDriverVolumeConfiguration": {"driver": "json-file"}},
        ],
        "pidMode": "shared",
        "ipcMode": "shared",
    }
    definition = described(ecs, register(ecs, **request))
    whole, other = definition.pop("containerDefinitions")
    assert whole == first
    assert other["dependsOn"] == second["dependsOn"]
    expected = {name: value for name, value in request.items() if name != "containerDefinitions"}
    assert {name: definition[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"family": "a b"}, "Family contains invalid characters."),
        ({"containerDefinitions": []}, "Container list cannot be empty."),
        (
            {"containerDefinitions": [{"image": "busybox"}]},
            "Container.name should not be null or empty.",
        ),
        (
            {"containerDefinitions": [{**CONTAINER, "essential": False}]},
            "Task definition doesn't have any essential container.",
        ),
        (
            {"containerDefinitions": [{**CONTAINER, "logConfiguration": {"logDriver": "gelf"}}]},
            "gelf is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens,json-file]",
        ),
        (
            {"containerDefinitions": [{**CONTAINER, "stopTimeout": 1}]},
            "Granular stop timeout on container 'agent' must be at least 2 seconds.",
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "host": {"sourcePath": "/x"},
                        "logDriverVolumeConfiguration": {"driver": "json-file"},
                    }
                ]
            },
            "When the volume parameter is specified, only one volume configuration type should be "
            "used.",
        ),
        (
            {"volumes": [{"name": "v", "logDriverVolumeConfiguration": {"driver": "gelf"}}]},
            "The driver of a logDriverVolumeConfiguration must be json-file.",
        ),
        ({"taskRoleArn": "a b"}, "Role is not valid"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:60],
)
@pytest.mark.inferred
def test_a_registration_is_held_to_the_rules_of_task_definitions(
    ecs: Any, params: Any, message: str
) -> None:
    request = {"family": "d", "containerDefinitions": [CONTAINER], **params}
    assert refusal(ecs.register_daemon_task_definition, **request) == (CLIENT, message)
    assert listed(ecs, status="ALL") == []


@pytest.mark.parametrize("member", ["pidMode", "ipcMode"])
def test_a_mode_is_none_or_shared(ecs: Any, member: str) -> None:
    request = {"family": "d", "containerDefinitions": [CONTAINER], member: "host"}
    answer = refusal(ecs.register_daemon_task_definition, **request)
    assert answer == ("InvalidParameterException", f"{member} should be one of [none,shared]")


def test_definitions_are_listed_by_family_revision_and_status(ecs: Any, admin: AdminClient) -> None:
    for family in ("aa", "ab", "aa", "b"):
        register(ecs, family)
    assert listed(ecs) == ["aa:1", "aa:2", "ab:1", "b:1"]
    assert listed(ecs, sort="DESC") == ["b:1", "ab:1", "aa:2", "aa:1"]
    assert listed(ecs, familyPrefix="a") == ["aa:1", "aa:2", "ab:1"]
    assert listed(ecs, family="ab") == ["ab:1"]
    assert listed(ecs, family="a") == []
    assert listed(ecs, revision="LAST_REGISTERED") == ["aa:2", "ab:1", "b:1"]
    ecs.delete_daemon_task_definition(daemonTaskDefinition="aa:2")
    seen(admin, lambda: described(ecs, "aa:2")["status"] == "DELETED")
    assert listed(ecs, family="aa") == ["aa:1"]
    assert listed(ecs, status="ALL", family="aa") == ["aa:1", "aa:2"]
    assert listed(ecs, status="DELETE_IN_PROGRESS") == []
    page = ecs.list_daemon_task_definitions(maxResults=2)
    assert listed(ecs, maxResults=2, nextToken=page["nextToken"]) == ["b:1"]


def test_a_deleted_revision_is_gone_from_its_family(ecs: Any) -> None:
    for _ in range(2):
        register(ecs)
    answer = ecs.delete_daemon_task_definition(daemonTaskDefinition="d:2")
    assert answer["daemonTaskDefinitionArn"] == f"{PREFIX}daemon-task-definition/d:2"
    ecs.get_waiter("daemon_task_definition_deleted").wait(daemonTaskDefinition="d:2")
    assert described(ecs, "d:2")["deleteRequestedAt"]
    assert described(ecs, "d")["revision"] == 1
    ecs.get_waiter("daemon_task_definition_active").wait(daemonTaskDefinition="d")
    assert refusal(ecs.delete_daemon_task_definition, daemonTaskDefinition="d:2")[0] == CLIENT
    assert register(ecs).endswith(":3")


def test_a_deletion_names_a_revision(ecs: Any) -> None:
    register(ecs)
    answer = refusal(ecs.delete_daemon_task_definition, daemonTaskDefinition="d")
    assert answer == ("InvalidParameterException", "Revision is missing")


@pytest.mark.inferred
@pytest.mark.parametrize("reference", ["none", "d:2", f"{PREFIX}daemon-task-definition/d:2"])
def test_an_unknown_definition_is_refused(ecs: Any, reference: str) -> None:
    register(ecs)
    for ask in (ecs.describe_daemon_task_definition, ecs.delete_daemon_task_definition):
        expected = CLIENT
        if ask == ecs.delete_daemon_task_definition and ":" not in reference:
            expected = "InvalidParameterException"
        assert refusal(ask, daemonTaskDefinition=reference)[0] == expected


def test_definitions_have_tags(ecs: Any) -> None:
    arn = register(ecs, tags=[{"key": "a", "value": "1"}])
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]


def test_they_are_not_task_definitions(ecs: Any) -> None:
    arn = register(ecs)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert refusal(ecs.describe_task_definition, taskDefinition="d")[0] == CLIENT
    assert refusal(ecs.run_task, taskDefinition=arn)[0] == "InvalidParameterException"
