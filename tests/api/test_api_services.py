"""CreateService: what is refused, and what it makes (ecs-facts 7.1, 7.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import task
from api_steps import wait_stable
from service_steps import INVALID
from service_steps import PREFIX
from service_steps import create

pytestmark = pytest.mark.captured

CLIENT = "ClientException"

ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        # In the order in which they are looked at.
        "cluster",
        {"cluster": "none", "taskDefinition": "none", "desiredCount": -1},
        "ClusterNotFoundException",
        "Cluster not found.",
    ),
    (
        "definition",
        {"taskDefinition": "none", "desiredCount": -1},
        CLIENT,
        "TaskDefinition not found.",
    ),
    ("inactive", {"taskDefinition": "old:1"}, CLIENT, "TaskDefinition is inactive"),
    ("no count", {"desiredCount": None}, INVALID, "DesiredCount is missing"),
    (
        "negative count, no network, no strategy",
        {"taskDefinition": "far", "desiredCount": -1, "schedulingStrategy": "X"},
        INVALID,
        "DesiredCount can not be lesser than 0",
    ),
    (
        "no network, no strategy",
        {"taskDefinition": "far", "schedulingStrategy": "X"},
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        "strategy",
        {"schedulingStrategy": "X"},
        INVALID,
        "Scheduling strategy should be one of [REPLICA,DAEMON]",
    ),
    (
        "daemon with count",
        {"schedulingStrategy": "DAEMON"},
        INVALID,
        "The daemon scheduling strategy does not support a desired count for services. Remove the "
        "desired count value and try again",
    ),
    (
        "maximum",
        {"deploymentConfiguration": {"maximumPercent": 99}},
        INVALID,
        "maximumPercent must be at least 100",
    ),
    (
        "minimum",
        {"deploymentConfiguration": {"minimumHealthyPercent": 101}},
        INVALID,
        "minimumHealthyPercent must be at most 100",
    ),
    (
        "rebalancing",
        {
            "availabilityZoneRebalancing": "ENABLED",
            "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0},
        },
        INVALID,
        "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment "
        "configuration.",
    ),
    (
        "token",
        {"clientToken": "x" * 37},
        INVALID,
        "idempotency token longer than 36.",
    ),
    (
        "port of Service Connect",
        {
            "serviceConnectConfiguration": {
                "enabled": True,
                "services": [{"portName": "http"}],
            }
        },
        INVALID,
        "portName(http) does not refer to any named PortMapping in the container definitions",
    ),
    (
        "grace period",
        {"healthCheckGracePeriodSeconds": 5},
        INVALID,
        "Health check grace period is only valid for services configured to use load balancers",
    ),
    (
        "platform",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "platformVersion": "0.0.1",
        },
        "PlatformUnknownException",
        "The specified platform does not exist.",
    ),
    (
        "not for FARGATE",
        {"launchType": "FARGATE"},
        INVALID,
        "Task definition does not support launch_type FARGATE.",
    ),
]

LIKE_RUN_TASK: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "constraint",
        {"placementConstraints": [{"type": "distinctInstance", "expression": "x"}]},
        INVALID,
        "A placement constraint of type distinctInstance can have no expression.",
    ),
    (
        "placement on FARGATE",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "placementStrategy": [{"type": "random"}],
        },
        INVALID,
        "Placement constraints and strategies are not supported with the FARGATE launch type.",
    ),
    (
        "platform too old",
        {
            "taskDefinition": "large",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "platformVersion": "1.3.0",
        },
        "PlatformTaskDefinitionIncompatibilityException",
        "The specified platform does not satisfy the task definition’s required capabilities.",  # noqa: RUF001
    ),
]
"""Rules that RunTask has too, in its words."""


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families app, far, large and old (INACTIVE)."""
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    register_fargate(cluster, "large", ephemeralStorage={"sizeInGiB": 30})
    register(cluster, "old")
    cluster.deregister_task_definition(taskDefinition="old:1")
    return cluster


@pytest.mark.parametrize(
    ("params", "code", "message"), [pytest.param(*row[1:], id=row[0]) for row in ERRORS]
)
def test_refused(app: Any, params: dict[str, Any], code: str, message: str) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1, **params}
    request = {name: value for name, value in request.items() if value is not None}
    assert refusal(app.create_service, **request) == (code, message)
    assert app.list_services()["serviceArns"] == []


@pytest.mark.documented
@pytest.mark.parametrize(
    ("params", "code", "message"), [pytest.param(*row[1:], id=row[0]) for row in LIKE_RUN_TASK]
)
def test_refused_as_by_run_task(app: Any, params: dict[str, Any], code: str, message: str) -> None:
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1, **params}
    assert refusal(app.create_service, **request) == (code, message)
    assert app.list_services()["serviceArns"] == []


@pytest.mark.inferred
@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 256])
def test_bad_names(app: Any, name: str) -> None:
    request = {"serviceName": name, "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request)[0] == INVALID


def test_what_create_returns(app: Any) -> None:
    created = create(app)
    created_at = created.pop("createdAt")
    current = created.pop("currentServiceDeployment")
    prefix = re.escape(PREFIX + "service-deployment/default/s/")
    assert re.fullmatch(prefix + "[A-Za-z0-9_-]{21}", current)
    deployment = created["deployments"][0]
    number = deployment["id"].removeprefix("ecs-svc/")
    assert re.fullmatch(r"\d{19}", number)
    assert created == {
        "serviceArn": PREFIX + "service/default/s",
        "serviceName": "s",
        "clusterArn": PREFIX + "cluster/default",
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 0,
        "pendingCount": 0,
        "launchType": "EC2",
        "taskDefinition": PREFIX + "task-definition/app:1",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": False,
                "rollback": False,
                "resetOnHealthyTask": True,
                "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
            },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        },
        "deployments": [
            {
                "id": deployment["id"],
                "status": "PRIMARY",
                "taskDefinition": PREFIX + "task-definition/app:1",
                "desiredCount": 1,
                "pendingCount": 0,
                "runningCount": 0,
                "failedTasks": 0,
                "createdAt": created_at,
                "updatedAt": created_at,
                "launchType": "EC2",
                "rolloutState": "IN_PROGRESS",
                "rolloutStateReason": f"ECS deployment {deployment['id']} in progress.",
            }
        ],
        "events": [],
        "currentServiceRevisions": [
            {
                "arn": PREFIX + f"service-revision/default/s/{number}",
                "requestedTaskCount": 1,
                "runningTaskCount": 0,
                "pendingTaskCount": 0,
            }
        ],
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "createdBy": "arn:aws:iam::123456789012:root",
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "ENABLED",
        "resourceManagementType": "CUSTOMER",
        "tags": [],
    }


def test_fargate(app: Any) -> None:
    created = create(app, taskDefinition="far", launchType="FARGATE", networkConfiguration=NETWORK)
    assert (created["platformVersion"], created["platformFamily"]) == ("LATEST", "Linux")
    assert created["deployments"][0]["platformVersion"] == "1.4.0"
    assert created["roleArn"].endswith(
        ":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    )
    assert created["networkConfiguration"] == NETWORK
    wait_stable(app, "s")
    (arn,) = app.list_tasks(serviceName="s")["taskArns"]
    assert task(app, arn)["launchType"] == "FARGATE"


def test_no_rebalancing_where_there_is_no_room(app: Any) -> None:
    created = create(app, deploymentConfiguration={"maximumPercent": 100})
    assert created["availabilityZoneRebalancing"] == "DISABLED"


def test_name_in_use(app: Any) -> None:
    create(app)
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    assert refusal(app.create_service, **request) == (
        INVALID,
        "Creation of service was not idempotent.",
    )


def test_token(app: Any) -> None:
    first = create(app, clientToken="x" * 36)
    wait_stable(app, "s")
    again = create(app, clientToken="x" * 36)
    assert again["serviceArn"] == first["serviceArn"]
    assert again["runningCount"] == 1
    request = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 2}
    assert refusal(app.create_service, **request, clientToken="x" * 36) == (
        INVALID,
        "Creation of service was not idempotent.",
    )


@pytest.mark.documented
def test_more_tasks_than_a_service_may_have(ecs: Any, cluster: Any) -> None:
    register(ecs)
    call = ecs.create_service
    many = {"serviceName": "web", "taskDefinition": "app", "desiredCount": 1_000_000_000}
    assert refusal(call, **many)[0] == "InvalidParameterException"
    call(serviceName="web", taskDefinition="app", desiredCount=0)
    answer = refusal(ecs.update_service, service="web", desiredCount=5001)
    assert answer[0] == "InvalidParameterException"
