"""Services that ECS itself does not deploy: EXTERNAL and CODE_DEPLOY (ecs-facts 8.8, 9)."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import Wait
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import service
from api_steps import task
from service_steps import INVALID
from service_steps import PREFIX

pytestmark = pytest.mark.documented

EXTERNAL = {"serviceName": "s", "deploymentController": {"type": "EXTERNAL"}}
BALANCER = {
    "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/01",
    "containerName": "app",
    "containerPort": 80,
}
CODE_DEPLOY = {
    "serviceName": "s",
    "taskDefinition": "app",
    "desiredCount": 1,
    "deploymentController": {"type": "CODE_DEPLOY"},
    "loadBalancers": [BALANCER],
}
LISTEN = (
    "import os, socket, time\n"
    "server = socket.create_server((os.environ['KECS_HOST'], 8080))\n"
    "time.sleep(1000)"
)
"""A program that a load balancer's health checks find."""

CREATES = {"EXTERNAL": EXTERNAL, "CODE_DEPLOY": CODE_DEPLOY}
GREEN = {"cluster": "default", "service": "s", "taskDefinition": "app", "scale": {"value": 100}}


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app and far."""
    register(cluster, "app", container(command=SLEEP, portMappings=[{"containerPort": 80}]))
    register_fargate(cluster, "far")
    return cluster


@pytest.mark.inferred
def test_what_create_returns_of_an_external_service(app: Any) -> None:
    created = app.create_service(**EXTERNAL)["service"]
    del created["createdAt"]
    assert created == {
        "serviceArn": PREFIX + "service/default/s",
        "serviceName": "s",
        "clusterArn": PREFIX + "cluster/default",
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 0,
        "runningCount": 0,
        "pendingCount": 0,
        "launchType": "EC2",
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
        "deployments": [],
        "taskSets": [],
        "events": [],
        "currentServiceRevisions": [],
        "roleArn": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/"
        "AWSServiceRoleForECS",
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "EXTERNAL"},
        "createdBy": "arn:aws:iam::123456789012:root",
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "DISABLED",
        "resourceManagementType": "CUSTOMER",
        "tags": [],
    }


def test_what_an_external_service_may_say(app: Any) -> None:
    said = {
        "desiredCount": 3,
        "deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50},
        "healthCheckGracePeriodSeconds": 5,
        "schedulingStrategy": "REPLICA",
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "spread", "field": "instanceId"}],
        "propagateTags": "SERVICE",
        "enableECSManagedTags": True,
        "tags": [{"key": "a", "value": "b"}],
    }
    created = app.create_service(**EXTERNAL, **said)["service"]
    assert {name: created[name] for name in said} == said


@pytest.mark.captured
@pytest.mark.parametrize(
    ("definition", "message"),
    [("app", "TaskDefinition must be blank."), ("", "Family should not be null or empty.")],
)
def test_an_external_service_has_no_definition(app: Any, definition: str, message: str) -> None:
    answer = refusal(app.create_service, **EXTERNAL, taskDefinition=definition)
    assert answer == (INVALID, message)
    assert app.list_services()["serviceArns"] == []


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"launchType": "FARGATE"}, "LaunchType must be blank."),
        ({"platformVersion": "LATEST"}, "PlatformVersion must be blank."),
        ({"networkConfiguration": NETWORK}, "NetworkConfiguration must be blank."),
        ({"loadBalancers": [BALANCER]}, "LoadBalancers must be blank."),
        (
            {"serviceRegistries": [{"registryArn": "x"}]},
            "ServiceRegistries must be blank.",
        ),
        (
            {"serviceConnectConfiguration": {"enabled": True}},
            "ServiceConnectConfiguration must be blank.",
        ),
        ({"desiredCount": -1}, "DesiredCount can not be lesser than 0"),
        ({"serviceName": "a b"}, "Service name contains invalid characters."),
    ],
    ids=str,
)
def test_an_external_service_refuses(app: Any, params: dict[str, Any], message: str) -> None:
    answer = refusal(app.create_service, **{**EXTERNAL, **params})
    assert answer == (INVALID, message)


@pytest.mark.parametrize("controller", CREATES)
@pytest.mark.parametrize(
    "params",
    [
        {"schedulingStrategy": "DAEMON", "desiredCount": None},
        {"availabilityZoneRebalancing": "ENABLED"},
        {"deploymentConfiguration": {"strategy": "CANARY"}},
        {"deploymentConfiguration": {"bakeTimeInMinutes": 5}},
        {
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": False}
            }
        },
        {
            "deploymentConfiguration": {
                "alarms": {"alarmNames": ["a"], "enable": True, "rollback": False}
            }
        },
    ],
    ids=str,
)
def test_what_is_for_services_of_ecs(app: Any, controller: str, params: dict[str, Any]) -> None:
    request = {**CREATES[controller], **params}
    request = {name: value for name, value in request.items() if value is not None}
    code, message = refusal(app.create_service, **request)
    assert code == INVALID
    assert controller in message


def test_a_code_deploy_service_begins_with_a_primary_task_set(app: Any, wait_for: Wait) -> None:
    command = [sys.executable, "-c", LISTEN]
    register(app, "app", container(command=command, portMappings=[{"containerPort": 8080}]))
    balancers = [{**BALANCER, "containerPort": 8080}]
    created = app.create_service(**{**CODE_DEPLOY, "loadBalancers": balancers})["service"]
    assert created["deployments"] == []
    (first,) = created["taskSets"]
    assert (first["status"], first["scale"]["value"]) == ("PRIMARY", 100.0)
    assert first["loadBalancers"] == created["loadBalancers"] == balancers
    assert first["taskDefinition"] == created["taskDefinition"]
    wait_for(lambda: service(app, "s")["taskSets"][0]["stabilityStatus"] == "STEADY_STATE")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    assert task(app, arn)["startedBy"] == first["id"]


def test_blue_and_green(app: Any, wait_for: Wait) -> None:
    """As CodeDeploy does it: a second task set, traffic, a new primary one, the first deleted."""
    (blue,) = app.create_service(**CODE_DEPLOY)["service"]["taskSets"]
    here = {"cluster": "default", "service": "s"}
    green = app.create_task_set(**GREEN, externalId="d-1")["taskSet"]
    assert (green["startedBy"], green["externalId"]) == ("CODE_DEPLOY", "d-1")
    wait_for(lambda: service(app, "s")["runningCount"] == 2)
    app.update_service_primary_task_set(**here, primaryTaskSet=green["id"])
    app.delete_task_set(**here, taskSet=blue["id"], force=True)
    wait_for(lambda: len(service(app, "s")["taskSets"]) == 1)
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    assert task(app, arn)["startedBy"] == green["id"]


@pytest.mark.parametrize(
    "params",
    [
        {"loadBalancers": []},
        {"loadBalancers": [BALANCER, BALANCER]},
        {"loadBalancers": [{**BALANCER, "targetGroupArn": None, "loadBalancerName": "x"}]},
        {"serviceConnectConfiguration": {"enabled": True}},
    ],
    ids=str,
)
def test_a_code_deploy_service_refuses(app: Any, params: dict[str, Any]) -> None:
    assert refusal(app.create_service, **{**CODE_DEPLOY, **params})[0] == INVALID
    assert app.list_services()["serviceArns"] == []


@pytest.mark.captured
def test_a_code_deploy_service_needs_a_definition(app: Any) -> None:
    request = {name: value for name, value in CODE_DEPLOY.items() if name != "taskDefinition"}
    assert refusal(app.create_service, **request)[0] == INVALID
    assert refusal(app.create_service, **request, taskDefinition="none") == (
        "ClientException",
        "TaskDefinition not found.",
    )


UPDATES: dict[str, dict[str, Any]] = {
    "task definition": {"taskDefinition": "app:1"},
    "network parameters": {"networkConfiguration": NETWORK},
    "platform version": {"platformVersion": "LATEST"},
    "load balancers": {"loadBalancers": []},
    "service registries": {"serviceRegistries": []},
    "capacity provider strategy": {"capacityProviderStrategy": []},
}


@pytest.mark.captured
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            words,
            marks=[]
            if words in ("task definition", "network parameters")
            else [pytest.mark.inferred],
        )
        for words in UPDATES
    ],
)
def test_what_only_code_deploy_updates(app: Any, words: str) -> None:
    app.create_service(**CODE_DEPLOY)
    assert refusal(app.update_service, service="s", **UPDATES[words]) == (
        INVALID,
        f"Unable to update {words} on services with a CODE_DEPLOY deployment controller. Use AWS "
        "CodeDeploy to trigger a new deployment.",
    )


@pytest.mark.captured
def test_a_new_deployment_cannot_be_forced(app: Any) -> None:
    app.create_service(**CODE_DEPLOY)
    answer = refusal(
        app.update_service, service="s", forceNewDeployment=True, capacityProviderStrategy=[]
    )
    assert answer == (
        INVALID,
        "Cannot force a new deployment on services with a CODE_DEPLOY deployment controller. Use "
        "AWS CodeDeploy to trigger a new deployment.",
    )


@pytest.mark.parametrize("words", [*UPDATES, "deployment configuration"])
def test_what_only_new_task_sets_change(app: Any, words: str) -> None:
    app.create_service(**EXTERNAL)
    params = UPDATES.get(words, {"deploymentConfiguration": {"maximumPercent": 150}})
    code, message = refusal(app.update_service, service="s", desiredCount=7, **params)
    assert (code, words in message) == (INVALID, True)
    assert service(app, "s")["desiredCount"] == 0


@pytest.mark.parametrize("controller", CREATES)
def test_what_update_service_changes(app: Any, controller: str, wait_for: Wait) -> None:
    app.create_service(**CREATES[controller])
    said = {
        "desiredCount": 2,
        "healthCheckGracePeriodSeconds": 7,
        "propagateTags": "SERVICE",
        "enableECSManagedTags": True,
        "placementConstraints": [{"type": "memberOf", "expression": "agentConnected == true"}],
        "placementStrategy": [{"type": "random"}],
        "deploymentController": {"type": controller},
    }
    updated = app.update_service(service="s", **said)["service"]
    assert {name: updated[name] for name in said} == said
    if controller == "EXTERNAL":
        app.create_task_set(**GREEN)
    wait_for(lambda: service(app, "s")["runningCount"] == 2)
    arns = app.list_tasks()["taskArns"]
    tags = {"key": "aws:ecs:serviceName", "value": "s"}
    assert any(tags in task(app, arn)["tags"] for arn in arns)


def test_a_code_deploy_service_has_a_deployment_configuration(app: Any) -> None:
    app.create_service(**CODE_DEPLOY)
    updated = app.update_service(
        service="s", deploymentConfiguration={"minimumHealthyPercent": 50}
    )["service"]
    assert updated["deploymentConfiguration"] == {
        "maximumPercent": 200,
        "minimumHealthyPercent": 50,
    }


@pytest.mark.parametrize("controller", CREATES)
def test_deletion(app: Any, controller: str, wait_for: Wait) -> None:
    app.create_service(**{**CREATES[controller], "desiredCount": 1})
    if controller == "EXTERNAL":
        app.create_task_set(**GREEN)
    wait_for(lambda: service(app, "s")["runningCount"] == 1)
    assert refusal(app.delete_service, service="s") == (
        INVALID,
        "The service cannot be stopped while it is scaled above 0.",
    )
    answer = app.delete_service(service="s", force=True)["service"]
    assert (answer["status"], answer["desiredCount"]) == ("DRAINING", 0)
    assert [each["status"] for each in answer["taskSets"]] == ["DRAINING"]
    wait_for(lambda: service(app, "s")["status"] == "INACTIVE")
    assert app.list_tasks()["taskArns"] == []
    assert service(app, "s")["taskSets"] == []


@pytest.mark.inferred
def test_name_and_token(app: Any) -> None:
    first = app.create_service(**EXTERNAL, clientToken="t")["service"]
    again = app.create_service(**EXTERNAL, clientToken="t")["service"]
    assert again["createdAt"] == first["createdAt"]
    assert refusal(app.create_service, **EXTERNAL) == (
        INVALID,
        "Creation of service was not idempotent.",
    )


@pytest.mark.inferred
def test_other_operations_on_services_without_deployments(app: Any) -> None:
    app.create_service(**EXTERNAL)
    assert app.list_services(launchType="EC2")["serviceArns"]
    assert app.list_service_deployments(service="s")["serviceDeployments"] == []
    revision = PREFIX + "service-revision/default/s/0000000000000000001"
    answer = app.describe_service_revisions(serviceRevisionArns=[revision])
    assert answer["failures"] == [{"arn": revision, "reason": "MISSING"}]
    (shown,) = app.describe_clusters(include=["STATISTICS"])["clusters"]
    assert shown["activeServicesCount"] == 1
    counts = {each["name"]: each["value"] for each in shown["statistics"]}
    assert counts["activeEC2ServiceCount"] == "1"
